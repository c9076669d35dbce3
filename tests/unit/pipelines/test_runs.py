"""Runs are found by their ids; the same request is the same run."""

import pytest

from earmark.errors import UserError
from earmark.pipelines.runs import Run, find_run, list_runs, now, record, run_id
from earmark.store import open_store


def run(name, started):
    return Run(name, "compare", "/data", "model", "quick", ("vgg",), started)


@pytest.fixture
def store(tmp_path):
    store = open_store(tmp_path)
    record(store, run("compare-aa11", "2026-01-01T00:00:00Z"))
    record(store, run("compare-ab22", "2026-01-02T00:00:00Z"))
    return store


def test_the_same_request_is_the_same_run():
    assert run_id("compare", {"data": "/a", "model": "m"}) == run_id("compare", {"model": "m", "data": "/a"})
    assert run_id("compare", {"data": "/a"}) != run_id("compare", {"data": "/b"})


def test_runs_are_listed_newest_first(store):
    assert [r.run for r in list_runs(store)] == ["compare-ab22", "compare-aa11"]


def test_a_run_is_found_by_the_beginning_of_its_id(store):
    assert find_run(store, "compare-ab").run == "compare-ab22"


def test_an_ambiguous_or_unknown_run_is_told(store, tmp_path):
    with pytest.raises(UserError, match="say more"):
        find_run(store, "compare-a")
    with pytest.raises(UserError, match="did you mean 'compare-ab22'"):
        find_run(store, "compare-ab23")
    with pytest.raises(UserError, match="no run in"):
        find_run(open_store(tmp_path / "empty"), "x")


def test_a_record_is_replaced_not_added(store):
    record(store, run("compare-aa11", now()))
    assert len(list_runs(store)) == 2
