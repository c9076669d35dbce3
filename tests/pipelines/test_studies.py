"""The studies as a user runs them: whole graphs over variants of one network, on real clips."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from .conftest import earmark

TINY = ["--preset", "quick", "--architecture", "fully_connected", "--steps", "10", "--json"]
TINY += [f"--set={value}" for value in ("architecture.width=0.05", "train.batch_size=16", "train.precision=fp32")]
TINY += ["--set=evaluate.bootstrap_resamples=100"]


def run(question, data, work, *more):
    done = earmark("run", question, "--data", data, "--work", work, *TINY, *more)
    log = "".join(path.read_text() for path in work.glob("logs/*.log"))
    assert done.returncode == 0, done.stderr + log[-5000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """One folder for both, so that clips are decoded once."""
    return tmp_path_factory.mktemp("studies") / "work"


@pytest.fixture(scope="module")
def labels(three_labels, work):
    return run("labels", three_labels, work, "--sizes", "2", "--bottleneck", "8")


@pytest.fixture(scope="module")
def rungs(three_labels, work):
    return run("data", three_labels, work, "--factor", "4", "--rungs", "2", "--model", "tiny")


def test_networks_that_learned_fewer_labels_are_scored_on_these(labels):
    assert [[cell["figure"] for cell in row[:2]] for row in labels["study"]["rows"]] == [["no", "2"], ["8-d", "2"]]
    assert labels["evaluated_clips"] == 8
    assert len(labels["study"]["paper_rows"]) == 6
    page = Path(labels["report"]).read_text(encoding="utf-8")
    assert labels["study"]["title"] in page
    assert "Table 3 of the paper" in page


def test_nothing_is_registered_where_no_model_is_named(labels, work):
    assert labels["champion"] is None
    client = MlflowClient(f"sqlite:///{work / 'mlflow.db'}")
    [experiment] = client.search_experiments(filter_string="name = 'earmark'")
    runs = client.search_runs([experiment.experiment_id], f"tags.`earmark.run` = '{labels['run']}'")
    assert len(runs) == 3
    assert {each.info.status for each in runs} == {"FINISHED"}
    listed = json.loads(earmark("models", "--work", work, "--json").stdout)
    assert labels["run"] not in {model.get("run") for model in listed}
    states = {each["run"]: each["state"] for each in json.loads(earmark("runs", "--work", work, "--json").stdout)}
    assert states[labels["run"]] == "succeeded"


def test_each_rung_has_its_clips_and_the_best_is_registered_where_a_model_is_named(rungs, work):
    whole, part = ([cell["figure"] for cell in row] for row in rungs["study"]["rows"])
    assert 3 <= int(part[0]) < int(whole[0])
    assert int(part[1]) < int(whole[1])
    assert float(part[2]) > float(whole[2])
    assert {network["steps"] for network in rungs["networks"]} == {10}
    assert rungs["champion"] == {"name": "tiny", "version": 1}
    assert "Table 4 of the paper" in Path(rungs["report"]).read_text(encoding="utf-8")
