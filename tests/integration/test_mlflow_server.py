"""Tracking and registry against a real MLflow server."""

import io
import json
import os
import subprocess
import sys
import time
import uuid

import pytest
from made_run import LABELS, STEPS, make_run

from earmark.errors import EarmarkError
from earmark.progress import Progress
from earmark.registry import download, list_models, register_model
from earmark.store import open_store
from earmark.tracking import DatasetFacts, RunContext, Tracker, connect
from earmark.tracking.runs import experiment, find_runs

PROGRESS = Progress("x", mode="off")
DATASET = DatasetFacts("d" * 32, "/clips", {"train": 60})

STEP = """
import sys
from earmark.tracking import RunContext, connect, parent_run
from earmark.tracking.runs import child_run
context = RunContext(sys.argv[1], "compare", sys.argv[1])
client = connect()
print("ready", flush=True)
sys.stdin.readline()
parent = parent_run(client, context, "d1")
child, new = child_run(client, context, parent, "key", "alexnet", "d1")
print(parent, child, new)
"""


@pytest.fixture
def context():
    """A run in an experiment of its own, so that tests can share a server."""
    name = f"run-{uuid.uuid4().hex[:8]}"
    return RunContext(name, "compare", name)


def children(context):
    client = connect()
    return find_runs(client, experiment(client, context.experiment), {"earmark.level": "network"})


def test_racing_processes_share_one_experiment_one_parent_and_one_child(mlflow_stack, context):
    steps = [
        subprocess.Popen(
            [sys.executable, "-c", STEP, context.run],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for _ in range(4)
    ]
    for step in steps:
        assert step.stdout.readline() == "ready\n"
    for step in steps:
        step.stdin.write("go\n")
        step.stdin.flush()
    found = [step.communicate()[0].split() for step in steps]
    assert [step.returncode for step in steps] == [0] * 4
    assert len({parent for parent, _, _ in found}) == 1
    assert len({child for _, child, _ in found}) == 1
    assert [new for _, _, new in found].count("True") == 1
    client = connect()
    everything = client.search_runs([experiment(client, context.experiment)])
    assert {run.info.run_id for run in everything} == set(found[0][:2])


def test_curves_are_complete_and_a_retry_goes_on_with_them(mlflow_stack, context):
    tracker = Tracker(context, DATASET, PROGRESS)
    for last in (600, 1200):
        child = tracker.child("key", "alexnet", {"train.steps": 1200})
        for step in range(last):
            child.log("train", {"step": step, "loss": 1 / (step + 1)})
        child.finish()
    [run] = children(context)
    history = connect().get_metric_history(run.info.run_id, "train/loss")
    assert sorted(point.step for point in history) == list(range(1200))


def test_a_server_that_goes_away_stops_nothing_and_what_is_missing_is_told(mlflow_stack, context):
    told = io.StringIO()
    child = Tracker(context, DATASET, Progress("train_model/alexnet", mode="plain", stream=told)).child(
        "k", "alexnet", {}
    )
    child.log("train", {"step": 0, "loss": 1.0})
    wait_for(lambda: [run for run in children(context) if "train/loss" in run.data.metrics])
    mlflow_stack.mlflow.stop()
    for step in range(1, 38):
        child.log("train", {"step": step, "loss": 0.5})
    wait_for(told.getvalue)
    child.finish(deadline_seconds=1)
    first, last = told.getvalue().splitlines()
    assert "does not take the figures of alexnet; training goes on" in first
    assert "37 metric points and the run's end of alexnet not delivered" in last


def test_a_server_that_comes_back_gets_everything(mlflow_stack, context):
    told = io.StringIO()
    mlflow_stack.mlflow.stop()
    child = Tracker(context, DATASET, Progress("train_model/alexnet", mode="plain", stream=told)).child(
        "k", "alexnet", {}
    )
    for step in range(10):
        child.log("train", {"step": step, "loss": 0.5})
    wait_for(told.getvalue)
    mlflow_stack.mlflow.start()
    child.finish()
    [run] = children(context)
    assert run.info.status == "FINISHED"
    assert len(connect().get_metric_history(run.info.run_id, "train/loss")) == 10
    assert len(told.getvalue().splitlines()) == 1


def test_a_run_is_registered_once_and_its_model_comes_back(mlflow_stack, context, tmp_path):
    store = open_store(tmp_path / "store")
    made = make_run(store, run=context.run)
    name = context.run
    first = register_model(store, *made.arguments, name, context, PROGRESS)
    again = register_model(store, *made.arguments, name, context, PROGRESS)
    assert again.reused
    assert [(m.version, m.aliases, m.map) for m in list_models() if m.name == name] == [(1, ("challenger",), 0.61)]
    assert first.facts["version"] == 1
    package = download(name, "challenger", tmp_path / "package")
    assert package.document["labels"] == list(LABELS)
    client = connect()
    [model] = client.search_logged_models([experiment(client, context.experiment)])
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": name, "version": 1}]
    scored = {metric.key: metric for metric in client.get_logged_model(model.model_id).metrics}
    assert scored["test/map"].value == 0.61
    digest = made.comparison.facts["dataset"]["digest"]
    assert (scored["test/map"].dataset_name, scored["test/map"].dataset_digest) == ("earmark", digest)
    for run in children(context):
        assert run.info.status == "FINISHED"
        assert len(connect().get_metric_history(run.info.run_id, "validation/map")) == len(STEPS)


def test_registering_where_no_server_answers_says_what_to_do(mlflow_stack, context, tmp_path):
    store = open_store(tmp_path / "store")
    made = make_run(store, run=context.run)
    mlflow_stack.mlflow.stop()
    with pytest.raises(EarmarkError, match=rf"MLflow at {mlflow_stack.uri} failed: .*run the same command again"):
        register_model(store, *made.arguments, "esc10", context, PROGRESS)


def wait_for(condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)
