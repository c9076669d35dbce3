import io
import sqlite3
import subprocess
import sys

import pytest

from earmark.progress import Progress
from earmark.tracking import DatasetFacts, RunContext, Tracker, connect
from earmark.tracking.runs import experiment, find_runs

CONTEXT = RunContext("compare-1", "compare")
DATASET = DatasetFacts("d" * 32, "/clips", {"train": 60, "test": 20})


@pytest.fixture
def told():
    return io.StringIO()


@pytest.fixture
def tracker(told):
    return Tracker(CONTEXT, DATASET, Progress("train_model/alexnet", mode="plain", stream=told))


def child(tracker):
    return tracker.child("key", "alexnet", {"train.steps": 30})


def the_run(client):
    [run] = find_runs(client, experiment(client, "earmark"), {"earmark.key": "key"})
    return run


def steps_of(client, run, metric):
    return sorted(point.step for point in client.get_metric_history(run.info.run_id, metric))


def test_a_finished_run_has_every_point_its_parameters_and_its_dataset(mlflow_db, tracker, told):
    run = child(tracker)
    for step in range(1500):  # more than one batch
        run.log("train", {"step": step, "loss": 1 / (step + 1), "accuracy": None})
    run.finish("FINISHED", {"final/seconds": 3.5})
    client = connect()
    found = the_run(client)
    assert found.info.status == "FINISHED"
    assert steps_of(client, found, "train/loss") == list(range(1500))
    # it began when training did, not when MLflow was there
    assert found.info.start_time <= min(p.timestamp for p in client.get_metric_history(found.info.run_id, "train/loss"))
    assert found.data.metrics == {"train/loss": 1 / 1500, "final/seconds": 3.5}
    assert found.data.params == {"train.steps": "30"}
    assert found.data.tags["earmark.dataset"] == "d" * 32
    [used] = found.inputs.dataset_inputs
    assert used.dataset.digest == "d" * 32
    assert told.getvalue() == ""


def test_tags_are_those_of_the_latest_attempt(mlflow_db, tracker):
    first = child(tracker)
    first.tag({"environment.device": "cpu", "environment.threads": "2"})
    first.finish("FAILED", cause="out of memory")
    again = child(tracker)
    again.tag({"environment.device": "H100"})
    again.tag({"environment.precision": "bf16"})
    again.finish()
    tags = the_run(connect()).data.tags
    told = {name: value for name, value in tags.items() if name.startswith("environment.")}
    assert told == {"environment.device": "H100", "environment.threads": "2", "environment.precision": "bf16"}


def test_a_retried_step_goes_on_with_its_run_and_repeats_no_point(mlflow_db, tracker):
    first = child(tracker)
    for step in (10, 20):
        first.log("train", {"step": step, "loss": 0.5})
    first.finish("FAILED", cause="out of memory")
    again = child(tracker)
    for step in (10, 20, 30):
        again.log("train", {"step": step, "loss": 0.5})
    again.log("validation", {"step": 10, "map": 0.25})
    again.finish()
    client = connect()
    found = the_run(client)
    assert found.info.status == "FINISHED"
    assert steps_of(client, found, "train/loss") == [10, 20, 30]
    assert steps_of(client, found, "validation/map") == [10]


def test_the_cause_of_a_failure_is_kept(mlflow_db, tracker):
    child(tracker).finish("FAILED", cause="out of memory: lower train.batch_size")
    found = the_run(connect())
    assert found.info.status == "FAILED"
    assert found.data.tags["earmark.cause"] == "out of memory: lower train.batch_size"


def test_an_mlflow_that_cannot_be_used_stops_nothing_and_what_is_missing_is_told(tmp_path, monkeypatch, tracker, told):
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 100)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    run = child(tracker)
    for step in range(37):
        run.log("train", {"step": step, "loss": 0.5})
    run.finish(deadline_seconds=0.2)
    assert "37 metric points and the run's end of alexnet not delivered" in told.getvalue()


def test_a_database_locked_for_a_while_is_waited_for(mlflow_db, tmp_path, tracker, told, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_db + "?timeout=0.1")  # SQLite's own patience, 5 s by default
    other = sqlite3.connect(tmp_path / "mlflow.db", check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    # as soon as ours begins to wait, the other writer is done
    waited = []
    monkeypatch.setattr("earmark.tracking.connection.pause", lambda s: (waited.append(s), other.rollback()))
    run = child(tracker)
    run.log("train", {"step": 1, "loss": 0.5})
    run.finish()
    other.close()
    assert waited
    client = connect()
    assert steps_of(client, the_run(client), "train/loss") == [1]
    assert told.getvalue() == ""


def test_the_rooms_cost_little_to_import():
    code = "import sys, earmark.tracking; print({'mlflow', 'torch', 'numpy', 'psutil'} & set(sys.modules)); "
    code += "import earmark.registry; print({'mlflow', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["set()", "set()"]
