"""The plan of a retraining, and what it adds to the record of a run that a schedule started."""

from pathlib import Path

import pytest

import earmark.registry
from earmark.components.plan_retraining import plan_retraining
from earmark.config import Experiment, make_config
from earmark.registry import Asked, Package
from earmark.store import open_store
from earmark.store.runs import Run, read_run, record


@pytest.fixture(autouse=True)
def champion(tmp_path, monkeypatch):
    monkeypatch.setenv("EARMARK_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("EARMARK_KFP_RUN_ID", "0123456789abcdef")
    config = make_config("quick", {"architecture": {"name": "alexnet", "width": 0.3}})
    package = Package(Path(), {"config": config.model_dump(mode="json")}, "birds", 3)
    monkeypatch.setattr(earmark.registry, "find_champion", lambda _: package)


def recorded(run, variants=()):
    preset = "modern" if variants else ""
    return Run(run, "retrain", "s3://sounds/birds", "birds", preset, variants, "2026-11-28T03:00:00Z")


def test_the_plan_is_that_of_the_champion_now():
    plan = plan_retraining.python_func(asked=Asked(patch={"seed": 7}).to_json(), model="birds", run="retrain-1")
    config = Experiment.from_json(plan[0]).variant("alexnet")
    assert plan[1] == ["alexnet"]
    assert (config.architecture.width, config.seed) == (0.3, 7)


def test_the_record_of_a_scheduled_run_gets_what_is_trained():
    record(open_store(), recorded("retrain-01234567"))
    plan_retraining.python_func(asked=Asked().to_json(), model="birds", run="retrain-*")
    found = read_run(open_store(), "retrain-01234567")
    assert found is not None
    assert (found.preset, found.variants, found.started) == ("quick", ("alexnet",), "2026-11-28T03:00:00Z")


def test_a_record_that_says_what_is_trained_stays():
    record(open_store(), recorded("retrain-1", ("resnet50",)))
    plan_retraining.python_func(asked=Asked().to_json(), model="birds", run="retrain-1")
    found = read_run(open_store(), "retrain-1")
    assert found is not None
    assert (found.preset, found.variants) == ("modern", ("resnet50",))
