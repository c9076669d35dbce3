"""Runs are found by their ids; whoever writes late takes back nothing of what became of a run."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from earmark.errors import UserError
from earmark.store import open_store
from earmark.store.runs import Run, begin, end, find_run, list_runs, now, read_run, record, record_new, written_from


def run(name, started):
    return Run(name, "compare", "/data", "model", "quick", ("vgg",), started)


@pytest.fixture
def store(tmp_path):
    store = open_store(tmp_path)
    record(store, run("compare-aa11", "2026-01-01T00:00:00Z"))
    record(store, run("compare-ab22", "2026-01-02T00:00:00Z"))
    return store


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


def test_only_the_first_of_two_records_of_a_new_run_is_kept(store):
    assert not record_new(store, run("compare-aa11", now()))
    assert find_run(store, "compare-aa11").started == "2026-01-01T00:00:00Z"
    assert record_new(store, run("compare-cc33", now()))


def test_an_end_outlives_a_record_that_comes_late(store):
    begun = find_run(store, "compare-aa11")
    end(store, "compare-aa11", "succeeded")
    record(store, replace(begun, kubeflow="1234-abcd"))  # who submitted it learns its id late
    found = find_run(store, "compare-aa11")
    assert (found.state, found.kubeflow) == ("succeeded", "1234-abcd")
    assert found.finished is not None


def test_a_run_that_is_started_again_runs(store):
    end(store, "compare-aa11", "failed")
    record(store, run("compare-aa11", "2026-01-03T00:00:00Z"))
    found = find_run(store, "compare-aa11")
    assert (found.state, found.finished) == ("running", None)


def test_a_run_that_was_stopped_did_not_fail_by_that(store):
    end(store, "compare-aa11", "stopped")
    assert end(store, "compare-aa11", "failed").state == "stopped"
    assert read_run(store, "compare-aa11").state == "stopped"


def test_the_end_of_a_run_that_nobody_recorded_is_not_recorded(store):
    assert end(store, "compare-zz99", "failed") is None
    assert len(list_runs(store)) == 2


def test_what_counts_as_written_by_a_start_goes_by_the_stores_clock_from_its_first_step_on(store):
    begin(store, "compare-aa11")
    began = store.head("runs/compare-aa11/begun.json").modified
    assert written_from(store, "compare-aa11") == began
    begin(store, "compare-aa11")  # the first step again, beside steps that are done
    assert written_from(store, "compare-aa11") == began


def test_a_start_without_a_first_step_counts_from_its_own_time_less_what_clocks_differ_by(store):
    begin(store, "compare-aa11")
    record(store, run("compare-aa11", "2026-01-03T00:00:00Z"))  # what failed is run again, the first step is not
    assert written_from(store, "compare-aa11") == datetime(2026, 1, 3, tzinfo=UTC).timestamp() - 60
