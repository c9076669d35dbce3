import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from made_run import STEPS, make_run

from earmark.errors import EarmarkError, UserError
from earmark.progress import Progress
from earmark.registry import list_models, register, register_model, versions
from earmark.store import Manifest, open_store
from earmark.tracking import DatasetFacts, Tracker, connect
from earmark.tracking.runs import experiment

PROGRESS = Progress("register_model", mode="off")


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def done(store, made, model="esc10"):
    return register_model(store, *made.arguments, model, made.context, PROGRESS)


def runs_by_name(client):
    found = client.search_runs([experiment(client, "earmark")])
    runs = {run.info.run_name: run for run in found}
    assert len(runs) == len(found)
    return runs


def test_the_best_network_becomes_a_version_with_scores_card_and_alias(store, mlflow_db):
    made = make_run(store)
    facts = done(store, made).facts
    assert (facts["name"], facts["version"], facts["variant"]) == ("esc10", 1, "fully_connected")
    [listed] = list_models()
    assert (listed.name, listed.version, listed.aliases, listed.architecture) == (
        "esc10",
        1,
        ("challenger",),
        "fully_connected",
    )
    assert (listed.map, listed.auc, listed.d_prime, listed.accuracy) == (0.61, 0.9, 1.812, 0.725)
    assert (listed.dataset, listed.run) == (made.dataset.digest, "compare-1")
    version = connect().get_model_version_by_alias("esc10", "challenger")
    assert "0.610 (0.510 to 0.710)" in version.description
    assert version.tags["training"] == made.checkpoints[0].key
    assert version.tags["catalog"] == made.catalog.digest


def test_every_network_has_a_run_with_its_curves_and_scores_even_where_training_did_not_log_it(store, mlflow_db):
    made = make_run(store)
    done(store, made)
    client = connect()
    runs = runs_by_name(client)
    assert {name: run.info.status for name, run in runs.items()} == dict.fromkeys(
        ("compare-1", "fully_connected", "alexnet"), "FINISHED"
    )
    alexnet = runs["alexnet"]
    history = client.get_metric_history(alexnet.info.run_id, "train/loss")
    assert sorted((point.step, point.value) for point in history) == [(step, 1 / step) for step in STEPS]
    assert alexnet.data.metrics["test/map"] == 0.5
    assert alexnet.data.metrics["test_intervals/map_low"] == 0.4
    assert alexnet.data.metrics["final/seconds"] == 12.5
    assert alexnet.data.params["architecture.name"] == "alexnet"
    assert alexnet.data.tags["mlflow.parentRunId"] == runs["compare-1"].info.run_id
    parent = runs["compare-1"]
    assert [file.path for file in client.list_artifacts(parent.info.run_id)] == ["report.html"]
    assert "| fully_connected | 0.610 |" in parent.data.tags["mlflow.note.content"]


def test_a_run_that_training_logged_is_completed_not_doubled(store, mlflow_db):
    made = make_run(store)
    dataset = DatasetFacts(made.dataset.digest, "/clips", {})
    child = Tracker(made.context, dataset, PROGRESS).child(made.checkpoints[1].key, "alexnet", {})
    child.log("train", {"step": STEPS[0], "loss": 1 / STEPS[0], "learning_rate": 1e-3})
    child.finish()
    done(store, made)
    client = connect()
    history = client.get_metric_history(runs_by_name(client)["alexnet"].info.run_id, "train/loss")
    assert sorted(point.step for point in history) == list(STEPS)


def test_the_logged_model_carries_the_scores(store, mlflow_db):
    done(store, make_run(store))
    client = connect()
    [model] = client.search_logged_models([experiment(client, "earmark")])
    assert model.status == "READY"
    assert {metric.key: metric.value for metric in model.metrics}["test/map"] == 0.61


def test_done_again_it_changes_nothing_and_says_so(store, mlflow_db):
    made = make_run(store)
    first = done(store, made)
    before = [connect().get_run(run.info.run_id).to_dictionary() for run in runs_by_name(connect()).values()]
    again = done(store, made)
    assert again == first
    assert again.reused
    assert not first.reused
    after = [connect().get_run(run.info.run_id).to_dictionary() for run in runs_by_name(connect()).values()]
    assert after == before
    assert len(list_models()) == 1


def test_the_same_weights_from_another_run_make_no_second_version(store, mlflow_db):
    done(store, make_run(store))
    again = done(store, make_run(store, run="compare-2"))
    assert again.facts["version"] == 1
    assert set(runs_by_name_of_parents(connect())) == {"compare-1", "compare-2"}


def runs_by_name_of_parents(client):
    found = client.search_runs([experiment(client, "earmark")], "tags.`earmark.level` = 'pipeline'")
    return [run.info.run_name for run in found]


def test_a_new_version_is_the_challenger_and_leaves_the_champion(store, mlflow_db):
    done(store, make_run(store))
    connect().set_registered_model_alias("esc10", "champion", "1")
    second = done(store, make_run(store, run="compare-2", seed=1))
    assert second.facts["version"] == 2
    assert [(m.version, m.aliases) for m in list_models()] == [(2, ("challenger",)), (1, ("champion",))]


def test_killed_between_version_and_alias_it_is_completed_by_the_next_try(store, mlflow_db, monkeypatch):
    made = make_run(store)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(register, "make_challenger", killed)
    with pytest.raises(KeyboardInterrupt):
        done(store, made)
    assert [(m.version, m.aliases) for m in list_models()] == [(1, ())]
    monkeypatch.undo()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_db)
    assert done(store, made).facts["version"] == 1
    assert [(m.version, m.aliases) for m in list_models()] == [(1, ("challenger",))]


def test_killed_before_its_files_were_there_the_logged_model_is_completed(store, mlflow_db, monkeypatch):
    made = make_run(store)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("earmark.registry.logged._name_mlmodel", killed)
    with pytest.raises(KeyboardInterrupt):
        done(store, made)
    monkeypatch.undo()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_db)
    done(store, made)
    client = connect()
    assert [model.status for model in client.search_logged_models([experiment(client, "earmark")])] == ["READY"]


def test_a_marker_whose_version_was_deleted_does_not_count(store, mlflow_db):
    made = make_run(store)
    first = done(store, made)
    connect().delete_registered_model("esc10")
    again = done(store, made)
    assert not again.reused
    assert again.facts == first.facts
    assert [(m.version, m.aliases) for m in list_models()] == [(1, ("challenger",))]


def test_racing_registrations_make_one_version(store, mlflow_db):
    made = make_run(store)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: done(store, made), range(4)))
    assert {result.facts["version"] for result in results} == {int(list_models()[0].version)}
    assert [m.aliases for m in list_models()] == [("challenger",)]
    assert set(runs_by_name(connect())) == {"compare-1", "fully_connected", "alexnet"}


def test_a_failed_network_fails_the_run_by_name_and_registers_nothing(store, mlflow_db):
    made = make_run(store, failed=["alexnet"])
    with pytest.raises(EarmarkError, match=r"alexnet failed: the disk is full\. .*--architectures") as told:
        done(store, made)
    assert told.value.exit_code == 1
    assert list_models() == []
    runs = runs_by_name(connect())
    assert {name: run.info.status for name, run in runs.items()} == {
        "compare-1": "FAILED",
        "alexnet": "FAILED",
        "fully_connected": "FINISHED",
    }
    assert runs["alexnet"].data.tags["earmark.cause"] == "the disk is full"
    assert "**alexnet failed**: the disk is full" in runs["compare-1"].data.tags["mlflow.note.content"]


def test_a_network_that_failed_in_training_keeps_the_run_it_had(store, mlflow_db):
    made = make_run(store, failed=["alexnet"])
    dataset = DatasetFacts(made.dataset.digest, "/clips", {})
    Tracker(made.context, dataset, PROGRESS).child("its key", "alexnet", {}).finish("FAILED", cause="out of memory")
    failed = [Manifest.failure("train_model", c.facts["variant"], "out of memory") for c in made.checkpoints[1:]]
    with pytest.raises(EarmarkError):
        done(store, replace(made, checkpoints=[made.checkpoints[0], *failed]))
    assert runs_by_name(connect())["alexnet"].data.tags["earmark.key"] == "its key"


def test_where_mlflows_database_is_damaged_the_failure_is_told_all_the_same(store, tmp_path, monkeypatch):
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 100)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    made, told = make_run(store, failed=["alexnet"]), io.StringIO()
    with pytest.raises(EarmarkError, match="alexnet failed"):
        register_model(store, *made.arguments, "esc10", made.context, Progress("x", mode="plain", stream=told))
    assert "the failure is not recorded: MLflow's database" in told.getvalue()
    with pytest.raises(EarmarkError, match=r"MLflow's database .* is damaged.*run the same command again"):
        done(store, make_run(store))


@pytest.mark.parametrize(
    ("name", "remedy"), [("a/b", "cannot contain '/'"), ("it's", "cannot contain"), (" ", "empty")]
)
def test_a_name_that_mlflow_cannot_take_is_refused_before_anything_is_written(store, name, remedy):
    with pytest.raises(UserError, match=remedy):
        done(store, make_run(store), model=name)


def test_without_a_database_there_are_no_models_and_none_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert list_models() == []
    assert list(tmp_path.iterdir()) == []


def test_more_models_than_a_page_are_all_listed(mlflow_db):
    client = connect()
    for number in range(101):
        client.create_registered_model(f"model-{number:03}")
    found = versions.every(lambda token: client.search_registered_models(page_token=token))
    assert len(list(found)) == 101
