"""How a run over folds ends in MLflow: one run with every model under it, finished, found again, never in the way."""

import json

import pytest
from made_run import make_run

from earmark.progress import Progress
from earmark.registry import list_models, record_pooled
from earmark.store import Manifest, once, open_store
from earmark.tracking import DatasetFacts, RunContext, Tracker, connect
from earmark.tracking.runs import experiment

PROGRESS = Progress("pool_models", mode="off")
CONTEXT = RunContext("crossval-1", "crossval", data="c" * 32)
SUMMARY = {"map": 0.5, "auc": 0.8, "d_prime": 1.19, "accuracy": 0.6}


@pytest.fixture
def run(tmp_path):
    """Two models, each of a dataset of its own, pooled; with what failed, if anything."""
    store = open_store(tmp_path / "store")
    made = make_run(store)
    datasets = []
    for number, checkpoint in enumerate(made.checkpoints):
        document = json.loads(checkpoint.files["model.json"].read(store)) | {"dataset": f"d{number}"}

        def rewrite(attempt, document=document, checkpoint=checkpoint):
            attempt.files |= checkpoint.files
            attempt.put_json("model.json", document)
            attempt.facts = checkpoint.facts

        made.checkpoints[number] = once(store, "train_model", f"fold{number}", rewrite)
        facts = {"clips": {"train": 9, "validation": 3, "test": 6}, "labels": ["a", "b"], "data": "/clips"}
        datasets.append(Manifest("assemble_dataset", f"k{number}", f"d{number}", {}, facts))

    def pooled(failures=()):
        def work(attempt):
            attempt.put("report.html", b"<title>pooled</title>")
            network = {"name": "fully_connected", "single": SUMMARY, "ensemble": None}
            attempt.facts = {"evaluated_clips": 12, "folds": ["1", "2"], "seeds": [0], "networks": [network]}
            attempt.facts |= {"chosen": None, "failures": list(failures)}

        return once(store, "pool_models", f"p{len(failures)}", work)

    def record(failures=(), checkpoints=None, progress=PROGRESS):
        trained = made.checkpoints if checkpoints is None else checkpoints
        record_pooled(store, pooled(failures), trained, made.metrics, datasets, CONTEXT, progress)

    record.checkpoints = made.checkpoints
    return record


def found():
    client = connect()
    runs = client.search_runs([experiment(client, "earmark")])
    by_name = {run.info.run_name: run for run in runs}
    assert len(by_name) == len(runs)
    return by_name


def test_models_of_different_folds_hang_under_one_run_that_ends(run, mlflow_db):
    # As training leaves it: under the run, of another dataset than the other model.
    child = Tracker(CONTEXT, DatasetFacts("d0", "/clips", {}), PROGRESS).child("fold0", "fully_connected", {})
    child.finish()
    run()
    runs = found()
    assert {name: each.info.status for name, each in runs.items()} == dict.fromkeys(
        ("crossval-1", "fully_connected", "alexnet"), "FINISHED"
    )
    parent = runs["crossval-1"]
    for name, dataset in (("fully_connected", "d0"), ("alexnet", "d1")):
        assert runs[name].data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert runs[name].data.tags["earmark.dataset"] == dataset
    assert parent.data.metrics["test/map"] == 0.5
    assert "| fully_connected | single | 0.500 |" in parent.data.tags["mlflow.note.content"]
    assert [file.path for file in connect().list_artifacts(parent.info.run_id)] == ["report.html"]
    assert list_models() == []


def test_done_again_it_changes_nothing(run, mlflow_db):
    run()
    before = {name: each.to_dictionary() for name, each in found().items()}
    run()
    assert {name: each.to_dictionary() for name, each in found().items()} == before


def test_a_model_that_failed_is_a_failed_run_with_its_cause(run, mlflow_db):
    failed = Manifest.failure("train_model", "alexnet", "the disk is full")
    run([{"variant": "alexnet", "cause": "the disk is full"}], [run.checkpoints[0], failed])
    runs = found()
    assert {name: each.info.status for name, each in runs.items()} == {
        "crossval-1": "FAILED",
        "fully_connected": "FINISHED",
        "alexnet": "FAILED",
    }
    assert runs["alexnet"].data.tags["earmark.cause"] == "the disk is full"


def test_mlflow_that_is_away_is_told_and_no_failure(run, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/file/mlflow.db")
    run(progress=Progress("pool_models", mode="plain"))
    assert "not in MLflow" in capsys.readouterr().out
