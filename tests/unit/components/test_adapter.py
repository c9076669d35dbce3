"""What a step does with its outcome: artifact, run record, event; or one line of error and an exit code."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from earmark.components.adapter import step
from earmark.config import compare_experiment, make_config
from earmark.errors import EarmarkError, UserError
from earmark.store import Manifest, MissingObject, load, once, open_store
from earmark.store.causes import causes_of
from earmark.store.usage import Meter, spent


@dataclass
class File:
    path: str
    metadata: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("EARMARK_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("EARMARK_PROGRESS", "json")


@pytest.fixture
def artifact(tmp_path):
    return File(str(tmp_path / "out" / "catalog"))


def events(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def result(store):
    return once(store, "build_catalog", "key", lambda attempt: attempt.put("a", b"1") and None)


def test_a_result_is_handed_on_and_recorded_under_the_run(artifact, capsys):
    with step("build_catalog", "run-1") as s:
        s.write(artifact, result(s.store))
    recorded = Manifest.from_json(open_store().get("runs/run-1/build_catalog.json"))
    assert recorded == load(artifact.path)
    assert artifact.metadata["digest"] == recorded.digest
    assert [e["earmark"] for e in events(capsys)] == ["started", "done"]


@pytest.mark.parametrize(("error", "code"), [(UserError("no such folder"), 2), (EarmarkError("lost"), 1)])
def test_an_error_is_one_event_and_an_exit_code(error, code, capsys):
    with pytest.raises(SystemExit) as end, step("build_catalog", "run-1"):
        raise error
    assert end.value.code == code
    told = events(capsys)[-1]
    assert told == {"earmark": "error", "step": "build_catalog", "message": str(error), "exit_code": code}


def test_a_mistake_of_ours_leaves_its_traceback_in_the_log(capsys):
    with pytest.raises(SystemExit) as end, step("build_catalog", "run-1"):
        raise ZeroDivisionError("by zero")
    assert end.value.code == 1
    printed = capsys.readouterr()
    assert "Traceback" in printed.err
    assert json.loads(printed.out.splitlines()[-1])["message"] == "ZeroDivisionError: by zero"


def test_a_variants_failure_is_handed_on_and_ends_well(artifact, capsys):
    with step("train_model", "run-1", "vgg", failure=artifact):
        raise EarmarkError("out of memory")
    assert load(artifact.path).failed == "out of memory"
    assert open_store().head("runs/run-1/train_model.vgg.json")
    done = events(capsys)[-1]
    assert (done["step"], done["failed"]) == ("train_model/vgg", "out of memory")


def test_the_next_step_of_a_failed_variant_hands_the_cause_on(artifact, tmp_path):
    with step("train_model", "run-1", "vgg", failure=artifact):
        raise UserError("the disk is full")
    metrics = File(str(tmp_path / "metrics"))
    with step("evaluate_model", "run-1", "vgg", failure=metrics) as s:
        s.read(artifact)
        pytest.fail("read a result that is none")
    assert load(metrics.path).failed == "the disk is full"
    assert load(metrics.path).facts["exit_code"] == 2


def test_a_stopped_step_is_no_failure(artifact):
    with pytest.raises(KeyboardInterrupt), step("train_model", "run-1", "vgg", failure=artifact):
        raise KeyboardInterrupt
    assert open_store().head("runs/run-1/train_model.vgg.json") is None


def test_a_step_refuses_inputs_that_are_gone(artifact, tmp_path):
    with step("build_catalog", "run-1") as s:
        s.write(artifact, result(s.store))
    open_store().delete(load(artifact.path).files["a"].object)
    with step("extract_features", "run-1") as s, pytest.raises(MissingObject, match="build_catalog"):
        s.read(artifact)


def test_a_step_sees_its_variants_config():
    experiment = compare_experiment(make_config("quick")).to_json()
    with step("train_model", "run-1", "vgg") as s:
        assert s.config(experiment).architecture.name == "vgg"
    with step("build_catalog", "run-1") as s:
        assert s.config(experiment).preset == "quick"


def test_a_schedules_run_is_named_by_kubeflows(monkeypatch):
    monkeypatch.setenv("EARMARK_KFP_RUN_ID", "0123456789abcdef")
    with step("build_catalog", "retrain-*") as s:
        assert s.run == "retrain-01234567"
    monkeypatch.delenv("EARMARK_KFP_RUN_ID")
    with pytest.raises(SystemExit) as end, step("build_catalog", "retrain-*"):
        pytest.fail("ran without a name")
    assert end.value.code == 2


def test_the_cause_of_a_failure_stays_under_the_run_until_the_step_succeeds():
    with pytest.raises(SystemExit), step("build_catalog", "run-1"):
        raise UserError("no such folder")
    [cause] = causes_of(open_store(), "run-1")
    assert (cause.step, cause.cause, cause.exit_code) == ("build_catalog", "no such folder", 2)
    with step("build_catalog", "run-1"):
        pass
    assert causes_of(open_store(), "run-1") == []


def test_every_attempt_that_could_say_so_is_counted(monkeypatch):
    monkeypatch.setenv("EARMARK_PRICE_PER_HOUR", "3.6")

    def lose_two_gpus():
        with step("train_model", "run-1", "vgg") as s:
            s.gpus = 2
            raise EarmarkError("lost")

    with pytest.raises(SystemExit):
        lose_two_gpus()
    with pytest.raises(KeyboardInterrupt), step("train_model", "run-1", "vgg"):
        raise KeyboardInterrupt
    Meter(open_store(), "run-1", "train_model.vgg")  # killed without a word
    with step("finish_run", "run-1", counted=False):
        pass
    found = spent(open_store(), "run-1", "train_model.vgg")
    assert found == spent(open_store(), "run-1")
    assert found.uncounted == 1
    assert found.cost is not None
    assert 0 < found.gpu_seconds <= 2 * found.seconds


def test_a_price_that_is_none_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("EARMARK_PRICE_PER_HOUR", "cheap")
    with pytest.raises(SystemExit) as end, step("build_catalog", "run-1"):
        pytest.fail("ran at no price")
    assert end.value.code == 2
    assert "EARMARK_PRICE_PER_HOUR is 'cheap'" in events(capsys)[-1]["message"]
