"""``earmark submit`` as it is typed, against a real object store and a stand-in of Kubeflow's API."""

import json
import shutil
from dataclasses import replace

import pytest
from runs_api import RunsApi
from seaweed import seaweedfs  # noqa: F401
from typer.testing import CliRunner

from earmark.config import Experiment
from earmark.errors import UserError
from earmark.pipelines.cli import app
from earmark.pipelines.kubeflow import follow
from earmark.store import open_store
from earmark.store.causes import Cause, leave_cause
from earmark.store.runs import read_run, record

EXAMPLE = ("--preset", "quick", "--architectures", "alexnet", "--steps", "20")
DONE = {"state": "SUCCEEDED", "finished_at": "2026-11-28T17:00:00Z"}


@pytest.fixture
def api(monkeypatch, tmp_path, seaweedfs):  # noqa: F811
    """A back end, a store, and no other server."""
    api = RunsApi()
    for name in ("EARMARK_CLUSTER", "MLFLOW_TRACKING_URI", "EARMARK_WORK", "KFP_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KFP_ENDPOINT", api.endpoint)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("EARMARK_STORE", "set by the command")
    monkeypatch.setenv("EARMARK_S3_DEADLINE", "20")
    for name, value in seaweedfs.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.0)
    yield api
    api.close()


@pytest.fixture
def cluster(tmp_path):
    """A cluster file whose store is this test's own."""
    (tmp_path / "cluster.yaml").write_text(f"store: s3://earmark/{tmp_path.name}\nservice_account: runner\n")
    return tmp_path / "cluster.yaml"


@pytest.fixture
def earmark(api, cluster, tmp_path, monkeypatch):
    """Runs a command with the cluster's file; its result, its errors raised."""
    monkeypatch.setenv("EARMARK_CLUSTER", str(cluster))
    monkeypatch.setenv("EARMARK_WORK", str(tmp_path / "work"))

    def earmark(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return earmark


@pytest.fixture
def store(cluster, api):
    return open_store(f"s3://earmark/{cluster.parent.name}")


@pytest.fixture
def submitted(earmark, api):
    """A run of `compare` that was started on data in the bucket."""
    told = earmark("submit", "compare", "--data", "s3://sounds/birds", *EXAMPLE, "--json")
    return json.loads(told.stdout)


def test_a_run_is_started_by_its_pinned_graph_and_recorded(earmark, api, submitted, store):
    [run] = api.runs
    [version] = api.objects["versions"]
    [experiment] = api.objects["experiments"]
    assert run["display_name"] == submitted["run"]
    assert run["service_account"] == "runner"
    assert run["experiment_id"] == experiment["experiment_id"]
    assert experiment["display_name"] == "earmark"
    assert run["pipeline_version_reference"] == {
        "pipeline_id": version["pipeline_id"],
        "pipeline_version_id": version["pipeline_version_id"],
    }
    parameters = run["runtime_config"]["parameters"]
    assert Experiment.from_json(parameters.pop("experiment")).base.train.steps == 20
    assert parameters == {
        "data": "s3://sounds/birds",
        "variants": ["alexnet"],
        "model": "earmark",
        "run": submitted["run"],
    }
    recorded = read_run(store, submitted["run"])
    assert (recorded.kubeflow, recorded.state, recorded.data) == (run["run_id"], "running", "s3://sounds/birds")
    assert submitted["url"] == f"{api.endpoint}/#/runs/details/{run['run_id']}"


def test_the_same_command_finds_its_run_while_it_goes_on_and_follows_it(earmark, api, submitted, store):
    api.states = [{"state": "RUNNING"}, DONE]
    told = earmark("submit", "compare", "--data", "s3://sounds/birds", *EXAMPLE, "--wait")
    assert told.exit_code == 0
    assert "it goes on already, since" in told.stderr
    assert "pods cannot be seen from here" in told.stderr
    assert "succeeded after" in told.stderr
    assert len(api.runs) == 1
    assert read_run(store, submitted["run"]).state == "succeeded"


def test_once_it_has_ended_the_same_command_starts_another(earmark, api, submitted, store):
    api.runs[0].update(DONE)
    told = earmark("submit", "compare", "--data", "s3://sounds/birds", *EXAMPLE)
    assert told.stdout == f"{api.endpoint}/#/runs/details/{api.runs[1]['run_id']}\n"
    assert len(api.objects["versions"]) == 1
    assert read_run(store, submitted["run"]).kubeflow == api.runs[1]["run_id"]


def test_a_failed_run_ends_with_the_cause_that_its_step_left(earmark, api, submitted, store):
    leave_cause(store, submitted["run"], Cause("build_catalog", "no label has enough clips: add some", 2))
    api.states = [{"state": "FAILED", "finished_at": "2026-11-28T17:00:00Z"}]
    with pytest.raises(Exception, match=r"^build_catalog: no label has enough clips: add some$") as found:
        earmark("submit", "compare", "--data", "s3://sounds/birds", *EXAMPLE, "--wait")
    assert found.value.exit_code == 2
    assert read_run(store, submitted["run"]).state == "failed"


def test_a_token_that_expires_while_a_run_is_followed_is_told(earmark, api, submitted):
    api.refuses = 401, {"error": "Unauthorized"}
    with pytest.raises(UserError, match=r"401: Unauthorized\): set KFP_TOKEN"):
        earmark("submit", "compare", "--data", "s3://sounds/birds", *EXAMPLE, "--wait")


def test_ctrl_c_leaves_the_run_going_and_says_how_to_look(earmark, api, submitted, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(follow.time, "sleep", interrupted)
    api.states = [{"state": "RUNNING"}]
    told = earmark("submit", "compare", "--data", "s3://sounds/birds", *EXAMPLE, "--wait")
    assert told.exit_code == 130
    assert f"earmark cancel {submitted['run']}" in told.stderr
    assert api.runs[0]["state"] == "RUNNING"


def test_a_local_folder_is_uploaded_once_under_a_name_of_its_content(earmark, api, three_labels, tmp_path):
    folder = tmp_path / "My Birds"
    shutil.copytree(three_labels, folder)
    first = earmark("submit", "compare", "--data", folder, *EXAMPLE)
    [run] = api.runs
    data = run["runtime_config"]["parameters"]["data"]
    assert data.startswith("s3://sounds/my-birds-")
    assert "uploading 37 files" in first.stderr
    lying = {info.key: info.size for info in open_store(data).list()}
    assert lying == {str(p.relative_to(folder)): p.stat().st_size for p in folder.rglob("*") if p.is_file()}

    open_store(data).delete("clips.csv")
    again = earmark("submit", "compare", "--data", folder, *EXAMPLE)
    assert "uploading 1 file," in again.stderr
    assert len(api.runs) == 1

    next(folder.glob("audio/*.ogg")).unlink()
    earmark("submit", "compare", "--data", folder, *EXAMPLE)
    other = api.runs[1]["runtime_config"]["parameters"]["data"]
    assert other != data
    assert sum(1 for _ in open_store(other).list()) == 36


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("KFP_ENDPOINT", "", "✗ kubeflow  KFP_ENDPOINT is not set"),
        ("AWS_SECRET_ACCESS_KEY", "wrong-secret", "refuses the key admin-access"),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_uploaded_or_started(
    earmark, api, three_labels, monkeypatch, variable, value, message, capfd
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(UserError, match="nothing was uploaded or started"):
        earmark("submit", "compare", "--data", three_labels, *EXAMPLE)
    assert api.writes == []


def test_bad_options_and_models_are_refused_first(earmark, api, tmp_path):
    with pytest.raises(UserError, match="did you mean 'alexnet'"):
        earmark("submit", "compare", "--data", "s3://sounds/birds", "--architectures", "alexnot")
    with pytest.raises(UserError, match="set MLFLOW_TRACKING_URI"):
        earmark("submit", "evaluate", "earmark", "--data", "s3://sounds/birds")
    assert api.writes == []


def test_runs_are_listed_cancelled_and_retried(earmark, api, submitted, store):
    name = submitted["run"]
    record(store, replace(read_run(store, name), started="2026-11-28T16:00:00Z"))
    [row] = json.loads(earmark("runs", "--cluster", "--json").stdout)
    assert (row["run"], row["state"], row["networks"], row["kubeflow"]) == (
        name,
        "pending",
        "alexnet",
        submitted["kubeflow"],
    )
    assert "is being cancelled" in earmark("cancel", name[:12]).stdout
    assert api.runs[0]["state"] == "CANCELING"
    assert read_run(store, name).state == "stopped"
    with pytest.raises(UserError, match="is CANCELING already"):
        earmark("cancel", submitted["kubeflow"])
    api.runs[0].update(state="FAILED")
    api.states = [{}, {"state": "RUNNING"}, DONE]
    told = earmark("retry", name, "--wait")
    assert f"run {name} goes on at what failed" in told.stderr
    assert read_run(store, name).state == "succeeded"
    with pytest.raises(UserError, match=f"run {name} is SUCCEEDED, there is nothing to start again"):
        earmark("retry", submitted["kubeflow"])


def test_an_unknown_run_is_named_with_the_nearest(earmark, api, submitted):
    with pytest.raises(UserError, match=f"did you mean '{submitted['run']}'"):
        earmark("cancel", submitted["run"][:-1] + "x")
