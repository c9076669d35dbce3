from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from earmark.errors import UserError
from earmark.tracking import RunContext, connect, parent_run
from earmark.tracking import runs as runs_module
from earmark.tracking.runs import SETTLED, child_run, claim, experiment, find_runs, log_params

CONTEXT = RunContext("compare-1", "compare")


def test_racing_steps_share_one_experiment_one_parent_and_one_child(mlflow_db):
    start = Barrier(8)

    def step(_):
        client = connect()
        start.wait()
        parent = parent_run(client, CONTEXT, "d1")
        child, new = child_run(client, CONTEXT, parent, "key", "alexnet", "d1")
        return parent, child, new

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(step, range(8)))
    assert len({parent for parent, _, _ in found}) == 1
    assert len({child for _, child, _ in found}) == 1
    assert sum(new for _, _, new in found) == 1
    client = connect()
    everything = client.search_runs([experiment(client, "earmark")])
    assert {run.info.run_id for run in everything} == set(found[0][:2])
    assert {run.info.run_name for run in everything} == {"compare-1", "alexnet"}


def test_a_child_hangs_under_its_parent_and_another_key_is_another_child(mlflow_db):
    client = connect()
    parent = parent_run(client, CONTEXT, "d1")
    first, _ = child_run(client, CONTEXT, parent, "key", "alexnet", "d1")
    second, _ = child_run(client, CONTEXT, parent, "other", "alexnet", "d1")
    other_parent = parent_run(client, RunContext("compare-2", "compare"), "d1")
    third, _ = child_run(client, CONTEXT, other_parent, "key", "alexnet", "d1")
    assert len({parent, first, second, third, other_parent}) == 5
    assert client.get_run(first).data.tags["mlflow.parentRunId"] == parent


def test_a_run_whose_creator_died_before_settling_it_is_adopted(mlflow_db, monkeypatch):
    monkeypatch.setattr(runs_module, "UNSETTLED_FOR_SECONDS", 0.1)
    client = connect()
    here = experiment(client, "earmark")
    orphan = client.create_run(here, tags={"earmark.key": "k"}, run_name="alexnet").info.run_id
    assert claim(client, here, "alexnet", {"earmark.key": "k"}, {}) == (orphan, False)
    [kept] = find_runs(client, here, {"earmark.key": "k"})
    assert SETTLED in kept.data.tags


def test_a_deleted_experiment_is_told_with_the_remedy(mlflow_db):
    client = connect()
    client.delete_experiment(experiment(client, "earmark"))
    with pytest.raises(UserError, match="'earmark' was deleted: restore it"):
        experiment(client, "earmark")


def test_parameters_are_written_once_and_never_fought_over(mlflow_db):
    client = connect()
    run_id = parent_run(client, CONTEXT, "d1")
    log_params(client, run_id, {"train.steps": 3})
    log_params(client, run_id, {"train.steps": 4, **{f"p{n}": n for n in range(150)}})
    params = client.get_run(run_id).data.params
    assert params["train.steps"] == "3"
    assert len(params) == 151


def test_artifacts_lie_beside_the_database(mlflow_db, tmp_path):
    client = connect()
    run_id = parent_run(client, CONTEXT, "d1")
    client.log_text(run_id, "page", "report.html")
    [file] = (tmp_path / "mlartifacts").rglob("report.html")
    assert file.read_text() == "page"
