"""What `earmark check` says of real servers: all well, and each thing that people get wrong."""

import json
import os
import subprocess
import sys

import pytest

from earmark.checking.lines import exit_code, run_checks
from earmark.checking.mlflow import check_mlflow
from earmark.checking.store import check_store

SECRET = "a-secret-nobody-should-read"


@pytest.fixture
def told(monkeypatch, tmp_path):
    """The lines of the store's or MLflow's check in an environment, and their exit code."""
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path / "cache"))

    def check(which, environment):
        with monkeypatch.context() as patch:
            patch.setenv("EARMARK_S3_DEADLINE", "1")
            for name, value in environment.items():
                patch.setenv(name, value)
            lines = run_checks({"part": which})
        return lines, exit_code(lines)

    return check


def bad(lines):
    [line] = [line for line in lines if line.mark == "bad"]
    return f"{line.what}: {line.remedy}"


def objects(seaweedfs):
    return {entry.object_name for entry in seaweedfs.client().list_objects("earmark", "checked/", recursive=True)}


def test_all_is_well_and_nothing_stays_behind(seaweedfs, mlflow_stack, tmp_path):
    environment = {**os.environ, **seaweedfs.environment("trainer"), "EARMARK_STORE": "s3://earmark/checked"}
    done = subprocess.run(
        [sys.executable, "-m", "earmark.pipelines.cli", "check", "--json", "--work", str(tmp_path / "work")],
        env=environment | {"EARMARK_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = json.loads(done.stdout)
    assert done.returncode == 0, lines
    assert {line["part"] for line in lines} == {"store", "mlflow", "versions", "machine"}
    said = "\n".join(line["what"] for line in lines)
    for what in (
        "of two that write one object the first wins",
        "s3://earmark/checked can be read and listed",
        "lets its objects be deleted",
        "its clock and ours agree",
        "its database answers",
        "its artifact store answers",
    ):
        assert what in said
    assert "secret-of-tests" not in done.stdout + done.stderr
    assert objects(seaweedfs) == set()
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("identity", ["features", "trainer", "exporter"])
def test_identities_with_the_rights_of_one_job_are_enough(identity, seaweedfs, told):
    lines, code = told(check_store, seaweedfs.environment(identity) | {"EARMARK_STORE": "s3://earmark/checked"})
    assert code == 0, lines


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"AWS_SECRET_ACCESS_KEY": SECRET}, "refuses the key admin-access"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "refuses the key nobody"),
        ({"AWS_ACCESS_KEY_ID": ""}, "set AWS_ACCESS_KEY_ID"),
        ({"EARMARK_STORE": "s3://absent-bucket/x"}, "there is no such bucket"),
        ({"EARMARK_STORE": "s3://sounds/x", "identity": "trainer"}, "has no right to this"),
        ({"EARMARK_STORE": "s3://a/x"}, "is no bucket's name"),
        ({"EARMARK_STORE": "gs://earmark/x"}, "s3:// is needed, not gs://"),
        ({"EARMARK_S3_ENDPOINT": ""}, "set EARMARK_S3_ENDPOINT"),
    ],
)
def test_what_the_user_can_mend_is_named_with_its_remedy(changed, said, seaweedfs, told):
    environment = seaweedfs.environment(changed.get("identity", "admin")) | {"EARMARK_STORE": "s3://earmark/checked"}
    lines, code = told(check_store, environment | {n: v for n, v in changed.items() if n != "identity"})
    assert said in bad(lines)
    assert code == 2
    assert SECRET not in str(lines)


def test_servers_that_are_away_are_named_and_are_not_the_users_fault(seaweedfs, told):
    environment = seaweedfs.environment() | {
        "EARMARK_STORE": "s3://earmark/x",
        "EARMARK_S3_ENDPOINT": "http://127.0.0.1:9",
    }
    lines, code = told(check_store, environment)
    assert "http://127.0.0.1:9 does not answer (Connection refused): start it, or correct EARMARK_S3_ENDPOINT" in bad(
        lines
    )
    assert code == 1
    lines, code = told(check_mlflow, {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"})
    assert "http://127.0.0.1:9 does not answer (Connection refused)" in bad(lines)
    assert code == 1


def test_a_server_spoken_to_in_the_wrong_scheme_says_so(seaweedfs, told):
    secure = seaweedfs.endpoint.replace("http://", "https://")
    environment = seaweedfs.environment() | {"EARMARK_STORE": "s3://earmark/x", "EARMARK_S3_ENDPOINT": secure}
    lines, code = told(check_store, environment)
    assert "cannot be trusted" in bad(lines)
    assert code == 2


def test_a_host_name_that_mlflow_refuses_names_the_option(mlflow_stack, told):
    # the same machine, under a name that the server was not told of
    address = mlflow_stack.uri.replace("127.0.0.1", "127.1")
    lines, code = told(check_mlflow, {"MLFLOW_TRACKING_URI": address})
    host = address.removeprefix("http://")
    assert f"--allowed-hosts {host}" in bad(lines)
    assert code == 2


def test_an_address_that_is_no_mlflow_is_said_to_be_none(seaweedfs, told):
    lines, code = told(check_mlflow, {"MLFLOW_TRACKING_URI": seaweedfs.endpoint})
    assert "does not answer as MLflow does" in bad(lines)
    assert code == 2


def test_a_database_that_is_away_is_told_from_a_server_that_is(mlflow_stack, told):
    mlflow_stack.postgres.kill()
    lines, code = told(check_mlflow, {})
    assert "the server fails at its database" in bad(lines)
    assert "answers in" in lines[0].what
    assert code == 1
