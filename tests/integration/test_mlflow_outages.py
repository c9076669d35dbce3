"""Training while MLflow, or the database below it, is away: it ends well, and every point arrives once."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid

import pytest

from earmark.catalog import assemble_dataset, build_catalog
from earmark.config import DataConfig, FeatureSpec, make_config
from earmark.features import extract_features
from earmark.progress import Progress
from earmark.store import open_store
from earmark.tracking import DatasetFacts, RunContext, Tracker, connect, end_run, parent_run
from earmark.tracking.outbox import folder_of
from earmark.tracking.runs import KFP_RUN_ID, find_runs
from earmark.tracking.system import INTERVAL
from earmark.training import train_model

DATASET = DatasetFacts("d" * 32, "/clips", {"train": 60})

WORKER = """
import sys
from earmark.progress import Progress
from earmark.tracking import DatasetFacts, RunContext, Tracker
context = RunContext(sys.argv[1], "compare", sys.argv[1])
child = Tracker(context, DatasetFacts("d" * 32, "/clips", {"train": 60}), Progress("train_model/alexnet")).child(
    "k", "alexnet", {"train.steps": 40}
)
for step in range(40):
    child.log("train", {"step": step, "loss": 0.5})
print("logged", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def context(tmp_path, monkeypatch):
    """A run in an experiment of its own, its outbox in the test's folder."""
    monkeypatch.setenv("EARMARK_WORK", str(tmp_path / "work"))
    name = f"run-{uuid.uuid4().hex[:8]}"
    return RunContext(name, "compare", name)


@pytest.fixture
def told():
    return io.StringIO()


@pytest.fixture
def tracker(context, told):
    return Tracker(context, DATASET, Progress("train_model/alexnet", mode="plain", stream=told))


def runs(context, tags):
    """The experiment's runs with these tags, none where nothing reached MLflow yet."""
    client = connect()
    place = client.get_experiment_by_name(context.experiment)
    return find_runs(client, place.experiment_id, tags) if place else []


def networks(context):
    return runs(context, {"earmark.level": "network"})


def the_run(context):
    [run] = networks(context)
    return run


def steps_of(run, metric="train/loss"):
    return sorted(point.step for point in connect().get_metric_history(run.info.run_id, metric))


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def waiting(context):
    return list(folder_of(os.environ["MLFLOW_TRACKING_URI"], context).glob("*.jsonl"))


def log(child, steps):
    for step in steps:
        child.log("train", {"step": step, "loss": 0.5})


@pytest.mark.parametrize("victim", ["mlflow", "postgres"])
def test_what_is_logged_while_a_server_is_away_arrives_once_it_is_back(mlflow_stack, context, tracker, told, victim):
    child = tracker.child("k", "alexnet", {"train.steps": 40})
    log(child, range(10))
    wait_for(lambda: [run for run in networks(context) if steps_of(run)])
    getattr(mlflow_stack, victim).kill()
    log(child, range(10, 30))
    wait_for(told.getvalue)
    getattr(mlflow_stack, victim).start()
    log(child, range(30, 40))
    child.finish()
    run = the_run(context)
    assert (run.info.status, steps_of(run)) == ("FINISHED", list(range(40)))
    assert waiting(context) == []


def test_a_worker_killed_during_an_outage_loses_no_point(mlflow_stack, context, tracker):
    mlflow_stack.mlflow.kill()
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, context.run],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "EARMARK_PROGRESS": "off"},
    )
    assert worker.stdout.readline() == "logged\n"
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    mlflow_stack.mlflow.start()
    successor = tracker.child("k", "alexnet", {"train.steps": 40})
    log(successor, range(20, 60))  # it goes on from a checkpoint, and repeats what was after it
    successor.finish()
    assert steps_of(the_run(context)) == list(range(60))
    assert waiting(context) == []


def test_what_a_network_left_is_delivered_by_the_next_of_its_run(mlflow_stack, context, tracker, told):
    mlflow_stack.mlflow.kill()
    child = tracker.child("k", "alexnet", {"train.steps": 10})
    log(child, range(10))
    child.finish("FAILED", {"final/seconds": 3.0}, cause="out of memory", deadline_seconds=1)
    [file] = waiting(context)
    assert "10 metric points and the run's end of alexnet not delivered" in told.getvalue()
    assert str(file) in told.getvalue()
    mlflow_stack.mlflow.start()
    tracker.child("other", "vgg", {}).finish()
    [run] = runs(context, {"earmark.variant": "alexnet"})
    assert (run.info.status, steps_of(run)) == ("FAILED", list(range(10)))
    assert run.data.tags["earmark.cause"] == "out of memory"
    assert run.data.metrics["final/seconds"] == 3.0
    assert waiting(context) == []


def test_runs_hang_under_the_one_that_kubeflows_plugin_made_and_leave_its_fields_alone(
    mlflow_stack, context, tracker, monkeypatch
):
    client = connect()
    theirs = client.create_experiment(f"KFP-{context.run}")
    tags = {"kfp.pipeline_run_id": context.run, "mlflow.note.content": "Kubeflow's"}
    made = client.create_run(theirs, tags=tags, run_name="compare of monday").info.run_id
    nested = {"kfp.pipeline_run_id": context.run, "mlflow.parentRunId": made}
    client.create_run(theirs, tags=nested, run_name="train-model")
    client.set_terminated(made, "FINISHED")
    monkeypatch.setenv(KFP_RUN_ID, context.run)
    assert parent_run(client, context, "d") == made
    tracker.child("k", "alexnet", {}).finish()
    [child] = find_runs(client, theirs, {"earmark.level": "network"})
    assert child.data.tags["mlflow.parentRunId"] == made
    run = client.get_run(made)
    assert (run.info.run_name, run.info.status) == ("compare of monday", "FINISHED")
    assert run.data.tags["mlflow.note.content"] == "Kubeflow's"
    assert client.get_experiment_by_name(context.experiment) is None


def test_the_kubeflow_run_without_a_plugin_gets_a_parent_of_ours(mlflow_stack, context, monkeypatch):
    monkeypatch.setenv(KFP_RUN_ID, "no-such-run")
    client = connect()
    run = client.get_run(parent_run(client, context, "d"))
    assert (run.info.run_name, run.data.tags["earmark.level"]) == (context.run, "pipeline")


def test_how_busy_the_machine_is_stands_beside_the_curves(mlflow_stack, context, tracker, monkeypatch):
    monkeypatch.setenv(INTERVAL, "0.1")
    child = tracker.child("k", "alexnet", {})
    wait_for(lambda: [run for run in networks(context) if any(name.startswith("system/") for name in run.data.metrics)])
    child.finish()
    names = the_run(context).data.metrics
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_percentage"} <= set(names)


def test_a_run_that_ended_early_does_not_run_for_ever(mlflow_stack, context, tracker):
    child = tracker.child("k", "alexnet", {})
    log(child, range(3))
    wait_for(lambda: [run for run in networks(context) if steps_of(run)])
    assert end_run(mlflow_stack.uri, context.run, "KILLED", "stopped", experiment=context.experiment) == ""
    assert [run.info.status for run in runs(context, {"earmark.run": context.run})] == ["KILLED"] * 2
    child.finish("KILLED")


def test_an_mlflow_that_is_away_is_told_when_a_run_ends_early(mlflow_stack, context):
    mlflow_stack.mlflow.kill()
    assert end_run(mlflow_stack.uri, context.run, "FAILED", "x", experiment=context.experiment)


@pytest.fixture(scope="module")
def material(tmp_path_factory, three_labels):
    """A store with a small real dataset, its manifest, and that of its patches."""
    store, config = open_store(tmp_path_factory.mktemp("store")), DataConfig(validation_share=0.25)
    quiet = Progress("test", mode="off")
    catalog = build_catalog(store, str(three_labels), config, quiet)
    patches = extract_features(store, catalog, FeatureSpec(), config, quiet)
    return store, assemble_dataset(store, catalog, patches, config, quiet), patches


class Saboteur(Progress):
    """Kills a server when a third of the steps are done, and starts it again beside them when two thirds are."""

    def __init__(self, server):
        super().__init__("test", mode="off")
        self.server, self.killed, self.started = server, False, threading.Thread(target=server.start)

    def update(self, done, total, unit, **facts):
        if not self.killed and done >= total / 3:
            self.killed = True
            self.server.kill()
        elif self.killed and done >= total * 2 / 3 and self.started.ident is None:
            self.started.start()


def test_training_ends_well_and_its_curves_are_whole_though_a_server_was_away(
    mlflow_stack, context, material, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("EARMARK_PROGRESS", "json")
    store, dataset, patches = material
    train = {"steps": 600, "batch_size": 16, "precision": "fp32", "validate_every_share": 0.25}
    architecture = {"name": "fully_connected", "width": 0.05}
    config = make_config("quick", {"train": train, "architecture": architecture})
    saboteur = Saboteur(mlflow_stack.mlflow)
    made = train_model(store, dataset, patches, "fully_connected", config, context, saboteur)
    assert saboteur.killed
    if saboteur.started.ident is not None:
        saboteur.started.join()
    mlflow_stack.ensure()
    # what came too late for the training goes with the next step of the run
    Tracker(context, DATASET, saboteur).child("next", "next", {}).finish()
    [run] = runs(context, {"earmark.variant": "fully_connected"})
    curves = json.loads(made.files["curves.json"].read(store))
    assert made.facts["steps"] == 600
    assert steps_of(run) == [point["step"] for point in curves["train"]]
    assert steps_of(run, "validation/map") == [point["step"] for point in curves["validation"]]
    assert run.info.status == "FINISHED"
    assert waiting(context) == []
