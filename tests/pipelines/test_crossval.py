"""Folds and seeds as one command, run as a user runs it, on real clips."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from .conftest import SMALL, earmark

NETWORK = ["--architectures", "fully_connected"]


def run(data, work, *more):
    return earmark("run", "compare", "--data", data, "--work", work, *SMALL, *NETWORK, *more, "--json")


@pytest.fixture(scope="module")
def pooled(three_labels, tmp_path_factory):
    """A finished run of a network over two folds and two seeds."""
    work = tmp_path_factory.mktemp("crossval") / "work"
    done = run(three_labels, work, "--folds", "1,2", "--seeds", "2")
    log = "".join(path.read_text() for path in work.glob("logs/*.log"))
    assert done.returncode == 0, done.stderr + log[-5000:]
    return work, json.loads(done.stdout)


def test_every_test_clip_is_scored_once_in_each_pass(pooled):
    _, document = pooled
    assert document["evaluated_clips"] == 24
    assert (document["folds"], document["seeds"], document["moves"]) == (["1", "2"], [0, 1], "test")
    for network in document["networks"]:
        assert [(m["fold"], m["seed"], m["clips"]["test"]) for m in network["models"]] == [
            ("1", 0, 12),
            ("2", 0, 12),
            ("1", 1, 12),
            ("2", 1, 12),
        ]
        # Folds of equal size: pooled accuracy is the mean of the folds'.
        assert network["single"]["accuracy"] == pytest.approx(network["spread"]["test"]["accuracy"]["mean"])
        assert network["gain"]["accuracy"] == pytest.approx(
            network["ensemble"]["accuracy"] - network["single"]["accuracy"]
        )
        assert network["missing"] == []


def test_a_second_time_nothing_is_computed_and_nothing_is_registered(pooled, three_labels):
    work, document = pooled
    again = run(three_labels, work, "--folds", "1,2", "--seeds", "2")
    assert again.returncode == 0, again.stderr
    assert "every step was done already" in again.stderr
    assert json.loads(again.stdout) == document
    assert json.loads(earmark("models", "--work", work, "--json").stdout) == []


def test_a_comparison_of_one_fold_finds_the_models_of_the_folds(pooled, three_labels):
    work, document = pooled
    done = run(three_labels, work, "--set", 'data.test_folds=["2"]')
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("was done already") >= 5
    assert "train_model/fully_connected  was done already" in done.stderr
    own = {n["name"]: next(m for m in n["models"] if (m["fold"], m["seed"]) == ("2", 0)) for n in document["networks"]}
    for network in json.loads(done.stdout)["networks"]:
        assert network["map"] == own[network["name"]]["test"]["map"]


def test_mlflow_has_one_run_with_every_model_under_it(pooled):
    work, document = pooled
    client = MlflowClient(f"sqlite:///{work / 'mlflow.db'}")
    ids = [each.experiment_id for each in client.search_experiments()]
    own = client.search_runs(ids, f"tags.`earmark.run` = '{document['run']}'")
    [parent] = [each for each in own if each.data.tags["earmark.level"] == "pipeline"]
    children = [each for each in own if each.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert {each.info.run_name for each in children} == {
        f"fully_connected.fold-{fold}.seed-{seed}" for fold in (1, 2) for seed in (0, 1)
    }
    assert len(children) == len(own) - 1 == 4
    assert {each.info.status for each in own} == {"FINISHED"}
    assert parent.data.metrics["test/map"] == document["networks"][0]["single"]["map"]


def test_runs_and_report_know_it(pooled, tmp_path):
    work, document = pooled
    rows = json.loads(earmark("runs", "--work", work, "--json").stdout)
    assert (document["run"], "succeeded") in [(row["run"], row["state"]) for row in rows]
    done = earmark("report", document["run"], "--output", tmp_path / "page.html", "--work", work)
    page = Path(done.stdout.strip()).read_text(encoding="utf-8")
    assert page == Path(document["report"]).read_text(encoding="utf-8")
    assert "--folds 1,2 --seeds 0,1" in page
    assert "src=" not in page.replace("default-src", "")


def test_models_that_fail_are_named_and_the_run_fails(three_labels, tmp_path):
    done = run(three_labels, tmp_path / "work", "--folds", "1,2", "--set", "train.batch_size=100000")
    assert done.returncode == 2
    assert "fully_connected.fold-2.seed-0 failed" in done.stderr.splitlines()[-1]
    document = json.loads(done.stdout)
    assert [f["variant"] for f in document["failures"]] == [f"fully_connected.fold-{f}.seed-0" for f in (1, 2)]
    assert document["networks"][0]["single"] is None
    assert "failed:" in Path(document["report"]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--folds", "1,4"], "unknown fold"),
        (["--folds", "1"], "is one fold"),
        (["--seeds", "0"], "--seeds 0"),
    ],
)
def test_folds_and_seeds_that_cannot_be_are_one_line_and_exit_code_2(more, message, refused, three_labels, tmp_path):
    told = refused("run", "compare", "--data", three_labels, "--work", tmp_path / "work", *SMALL, *more)
    assert message in told.splitlines()[-1]
