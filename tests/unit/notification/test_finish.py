"""How a run ended is read from what its steps left, and told once, without a secret."""

import pytest

from earmark.components.adapter import step
from earmark.errors import UserError
from earmark.notification.finish import finish_run
from earmark.notification.outcome import outcome_of
from earmark.progress import Progress
from earmark.store import FileRef, open_store
from earmark.store.causes import Cause, leave_cause
from earmark.store.runs import end, read_run
from earmark.store.usage import Meter

from .conftest import PATH

GATE = {"name": "birds", "version": 3, "architecture": "vgg", "outcome": "promoted", "why": "mAP +0.021"}


def finish(made, said="COMPLETE", message=""):
    return finish_run(made.store, made.run, said, message, Progress("finish_run"))


def compared(made):
    made.hand_on("compare_models", {"champion": "vgg"})
    page = FileRef("results/gate_model/key/gate-0123.html", 5, "0123")
    made.hand_on("gate_model", GATE, {"gate.html": page})


def test_a_run_that_came_to_its_last_step_succeeded_whatever_kubeflow_says(made, receiver):
    compared(made)
    outcome = finish(made, "FAILED", "a retried task failed at first")
    assert (outcome.state, outcome.cause) == ("succeeded", "")
    assert read_run(made.store, made.run).state == "succeeded"
    [(path, kind, body)] = receiver.bodies
    assert (path, kind) == (PATH, "application/json")
    assert body["text"].splitlines()[0].startswith(f"✓ {made.run} succeeded in ")
    assert "vgg is version 3 of birds, promoted: mAP +0.021" in body["text"]
    assert body["report"] == f"{made.store.uri}/results/gate_model/key/gate-0123.html"
    assert body["gate"] == {name: GATE[name] for name in ("name", "version", "outcome", "why")}
    assert (body["champion"], body["model"], body["data"]) == ("vgg", "birds", "s3://sounds/birds")


def test_the_cause_that_a_step_left_is_told(made, receiver):
    made.hand_on("build_catalog")
    leave_cause(made.store, made.run, Cause("extract_features", "no audio in it: put clips there", 2))
    outcome = finish(made, "FAILED", "task extract-features failed")
    assert outcome.cause == "extract_features: no audio in it: put clips there"
    assert read_run(made.store, made.run).state == "failed"
    assert receiver.last["state"] == "failed"
    assert "no audio in it: put clips there" in receiver.last["text"]


def test_a_step_that_failed_and_then_succeeded_is_no_cause(made, monkeypatch, tmp_path):
    monkeypatch.setenv("EARMARK_STORE", str(tmp_path / "store"))
    with pytest.raises(SystemExit), step("build_catalog", made.run):
        raise UserError("the bucket is away")
    with step("build_catalog", made.run):
        pass
    compared(made)
    assert finish(made, "FAILED").state == "succeeded"


def test_a_cause_that_could_not_be_taken_back_does_not_outlive_the_steps_result(made):
    leave_cause(made.store, made.run, Cause("gate_model", "lost", 1))
    compared(made)
    assert outcome_of(made.store, made.run, said_failed=True).state == "succeeded"
    leave_cause(made.store, made.run, Cause("gate_model", "lost", 1))  # after its result
    assert outcome_of(made.store, made.run, said_failed=False).cause == "gate_model: lost"


def test_variants_that_failed_are_named_although_all_steps_ended(made, receiver):
    made.hand_on("evaluate_model.vgg", {"variant": "vgg"})
    made.fail("train_model", "alexnet", "out of memory")
    made.fail("evaluate_model", "alexnet", "out of memory")
    made.hand_on("compare_models", {"champion": "vgg"})
    leave_cause(made.store, made.run, Cause("register_model", "alexnet failed: nothing is registered", 1))
    assert finish(made).cause == "alexnet: out of memory"
    assert receiver.last["failed_variants"] == {"alexnet": "out of memory"}
    assert receiver.last["champion"] == "vgg"
    leave_cause(made.store, made.run, Cause("compare_models", "the disk is full", 2))
    assert finish(made).cause == "alexnet: out of memory; compare_models: the disk is full"


def test_where_no_step_said_why_it_is_said_how_far_the_run_came(made):
    made.hand_on("assemble_dataset")
    cause = finish(made, "FAILED", "deadline exceeded").cause
    assert "gate_model was not reached" in cause
    assert "the last step that ended is assemble_dataset; Kubeflow: deadline exceeded" in cause


def test_what_an_earlier_start_left_is_not_of_this_one(made):
    compared(made)
    assert outcome_of(made.store, made.run, said_failed=False).state == "succeeded"
    made.start_again()
    assert "no step ended" in outcome_of(made.store, made.run, said_failed=True).cause


@pytest.mark.parametrize(
    ("pipeline", "last"),
    [("crossval", "pool_models"), ("embed", "export_embeddings"), ("evaluate", "evaluate_package")],
)
def test_every_pipeline_has_its_last_step(pipeline, last, make_run):
    run = make_run(pipeline)
    assert outcome_of(run.store, run.run, said_failed=False).state == "failed"
    run.hand_on(last)
    assert outcome_of(run.store, run.run, said_failed=False).state == "succeeded"


def test_a_retraining_without_news_succeeded_unless_it_went_on(make_run):
    run = make_run("retrain")
    run.hand_on("build_catalog")
    run.hand_on("find_news", {"found": False, "told": "nothing new"})
    quiet = outcome_of(run.store, run.run, said_failed=False)
    assert (quiet.state, quiet.result) == ("succeeded", "there was nothing new")
    run.hand_on("extract_features")  # it was forced
    assert outcome_of(run.store, run.run, said_failed=False).state == "failed"


def test_a_run_that_was_stopped_is_told_as_stopped(made, receiver):
    end(made.store, made.run, "stopped")
    finish(made, "FAILED")
    assert read_run(made.store, made.run).state == "stopped"
    assert receiver.last["state"] == "stopped"


def test_what_the_run_took_is_in_the_message(made, receiver, monkeypatch):
    monkeypatch.setenv("EARMARK_PRICE_PER_HOUR", "7.2")
    compared(made)
    meter = Meter(made.store, made.run, "train_model.vgg")
    meter.gpus = 4
    meter._began -= 900
    meter.stop(made.store)
    Meter(made.store, made.run, "train_model.alexnet")  # killed
    finish(made)
    assert receiver.last["usage"]["gpu_seconds"] == pytest.approx(3600, abs=5)
    assert receiver.last["usage"]["uncounted"] == 1
    assert "took 60 min of GPUs, 1.80 in cost (not counted: 1 attempts that were killed)" in receiver.last["text"]


def test_no_secret_leaves_the_cluster(made, receiver, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2hunter2")
    leave_cause(made.store, made.run, Cause("register_model", "login hunter2hunter2 at http://me:pw@mlflow refused", 2))
    receiver.answers = [500, 500, 500]
    finish(made)
    sent = str(receiver.bodies)
    told = "".join(capsys.readouterr())
    for secret in ("hunter2", "me:pw"):
        assert secret not in sent + told
    assert "a-path-that-is-secret" not in told
    assert "the webhook could not be told: the webhook took no message in 3 tries (status 500)" in told


def test_a_receiver_in_trouble_is_asked_again_and_one_that_refuses_is_not(made, receiver, capsys):
    compared(made)
    receiver.answers = [503, 200]
    finish(made)
    assert len(receiver.bodies) == 2
    receiver.answers = [404]
    finish(made)
    assert len(receiver.bodies) == 3
    assert "refuses the message (status 404): check EARMARK_WEBHOOK_URL" in capsys.readouterr().out


def test_a_receiver_that_is_away_fails_nothing(made, monkeypatch, capsys):
    compared(made)
    monkeypatch.setenv("EARMARK_WEBHOOK_URL", f"http://127.0.0.1:9{PATH}")
    assert finish(made).state == "succeeded"
    told = "".join(capsys.readouterr())
    assert "the webhook took no message in 3 tries (NewConnectionError)" in told
    assert PATH not in told


def test_a_store_that_does_not_answer_is_told_too(made, receiver, monkeypatch):
    monkeypatch.setenv("EARMARK_S3_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("EARMARK_S3_DEADLINE", "0.2")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    made.store = open_store("s3://earmark/store")
    finish(made, "FAILED")
    assert receiver.last["state"] == "failed"
    assert "no answer from http://127.0.0.1:9" in receiver.last["cause"]
