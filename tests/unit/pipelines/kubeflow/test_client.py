"""Kubeflow's address, token and version: what is wrong is told before anything is asked for."""

import json
import socket

import kfp
import pytest
from answering import answering
from runs_api import RunsApi

from earmark.errors import EarmarkError, UserError
from earmark.pipelines.cluster import Cluster
from earmark.pipelines.kubeflow.client import connect, pinned_version

HEALTHY = json.dumps({"commit_sha": "unknown", "tag_name": "2.17.0", "multi_user": False, "pipeline_store": "database"})


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("KFP_ENDPOINT", "KFP_TOKEN", "KFP_TOKEN_FILE", "KFP_CA_FILE", "KFP_UI", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_without_an_address_the_command_that_gives_one_is_told():
    with pytest.raises(UserError, match=r"KFP_ENDPOINT is not set: .*kubectl -n kubeflow port-forward svc/ml-pipeline"):
        connect(Cluster())


def test_an_address_needs_its_scheme(environment):
    environment.setenv("KFP_ENDPOINT", "localhost:8888")
    with pytest.raises(UserError, match="KFP_ENDPOINT is localhost:8888: give http:// or https://"):
        connect(Cluster())


def test_an_address_where_nothing_listens_is_no_fault_of_the_users(environment):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        environment.setenv("KFP_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(EarmarkError, match=r"does not answer .*refused.*port-forward") as found:
            connect(Cluster())
    assert found.value.exit_code == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            {"body": "<html><title>Sign in</title>", "content_type": "text/html"},
            "is not the API .*correct KFP_ENDPOINT",
        ),
        ({"status": 404, "body": "404 page not found"}, r"is not the API .*status 404, 404 page not found"),
        ({"status": 302, "body": "", "location": "/dex/auth"}, "is not the API .*a login page"),
        ({"body": '{"status": "up"}'}, "is not the API"),
        ({"status": 401, "body": '{"error": "no token"}'}, r"\(401: no token\): set KFP_TOKEN or KFP_TOKEN_FILE"),
        (
            {"body": HEALTHY.replace("2.17.0", "2.16.1")},
            r"kfp .* newer than Kubeflow Pipelines 2\.16\.1 .*kfp 2\.16 here",
        ),
    ],
)
def test_another_server_a_missing_token_and_an_older_back_end_are_refused(environment, answer, message):
    with answering(**answer) as (endpoint, _):
        environment.setenv("KFP_ENDPOINT", endpoint)
        with pytest.raises(UserError, match=message):
            connect(Cluster())


def test_a_token_that_has_expired_is_named(environment):
    with answering(403, '{"message": "token has expired"}') as (endpoint, _):
        environment.setenv("KFP_ENDPOINT", endpoint)
        environment.setenv("KFP_TOKEN", "old")
        with pytest.raises(UserError, match=r"\(403: token has expired\): the token of KFP_TOKEN .*make a new one"):
            connect(Cluster())


def test_a_back_end_of_this_minor_version_or_a_newer_one_is_well(environment):
    for version, told in ((kfp.__version__, kfp.__version__), ("3.0.0", "3.0.0"), ("unknown", None)):
        with answering(body=HEALTHY.replace("2.17.0", version)) as (endpoint, _):
            environment.setenv("KFP_ENDPOINT", endpoint)
            assert connect(Cluster()).version == told


def test_a_token_in_a_file_is_read_anew_and_a_path_is_kept(environment, tmp_path):
    token = tmp_path / "token"
    token.write_text("first\n")
    environment.setenv("KFP_TOKEN_FILE", str(token))
    with answering(body=HEALTHY) as (endpoint, seen):
        environment.setenv("KFP_ENDPOINT", f"{endpoint}/pipeline/")
        kubeflow = connect(Cluster())
        token.write_text("second\n")
        kubeflow.ask(kubeflow.client._run_api.run_service_list_runs)
    assert [authorization for _, authorization in (seen[0], seen[-1])] == ["Bearer first", "Bearer second"]
    assert [path.partition("?")[0] for path, _ in (seen[0], seen[-1])] == [
        "/pipeline/apis/v2beta1/healthz",
        "/pipeline/apis/v2beta1/runs",
    ]
    assert kubeflow.url("abc") == f"{endpoint}/pipeline/#/runs/details/abc"


def test_a_graph_is_uploaded_once_and_another_graph_is_another_version(environment, tmp_path):
    api = RunsApi()
    try:
        environment.setenv("KFP_ENDPOINT", api.endpoint)
        kubeflow = connect(Cluster())
        package = tmp_path / "compare.yaml"
        package.write_text("a: 1")
        first = pinned_version(kubeflow, "compare", package)
        assert pinned_version(kubeflow, "compare", package) == first
        package.write_text("a: 2")
        second = pinned_version(kubeflow, "compare", package)
    finally:
        api.close()
    assert second[0] == first[0]
    assert second[1] != first[1]
    assert [pipeline["display_name"] for pipeline in api.objects["pipelines"]] == ["earmark-compare"]
    assert len({version["display_name"] for version in api.objects["versions"]}) == 2


def test_refusals_keep_kubeflows_words_and_who_can_mend_them(environment):
    api = RunsApi()
    try:
        environment.setenv("KFP_ENDPOINT", api.endpoint)
        kubeflow = connect(Cluster())
        ask = kubeflow.client._run_api.run_service_get_run
        with pytest.raises(UserError, match=r"\(404\): .*Run no-such-run not found"):
            kubeflow.ask(ask, "no-such-run")
        api.refuses = 500, {"code": 13, "message": "database is locked"}
        with pytest.raises(EarmarkError, match=r"fails at .* \(500\): database is locked") as found:
            kubeflow.ask(ask, "no-such-run")
    finally:
        api.close()
    assert found.value.exit_code == 1
