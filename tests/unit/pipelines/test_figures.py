"""``earmark figures``: what it refuses, and where it writes."""

import pytest

from earmark.errors import UserError
from earmark.pipelines.figures import write_figures
from earmark.store import open_store
from earmark.store.runs import Run, record, results_of


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.delenv("EARMARK_STORE", raising=False)
    run = Run("compare-12345678", "compare", "/data", "earmark", "quick", ("vgg",), "2026-01-01T00:00:00Z")
    record(open_store(str(tmp_path / "store")), run)
    return str(tmp_path)


def call(work, run=None, clip=None, to=None):
    write_figures(run, to, None, clip, "earmark", work, False)


def test_something_to_draw_must_be_named(work):
    with pytest.raises(UserError, match=r"name a run .*--clip"):
        call(work)


def test_an_unknown_run_is_named_with_the_nearest(work):
    with pytest.raises(UserError, match="compare-12345678"):
        call(work, "compare-12345679")


def test_a_run_that_scored_nothing_yet_says_so(work):
    with pytest.raises(UserError, match="run compare-12345678 has scored no network"):
        call(work, "compare-1")


def test_records_of_a_run_are_no_results(work):
    store = open_store(f"{work}/store")
    store.put("runs/compare-12345678/usage/train_model/1.json", b"{}")
    assert results_of(store, "compare-12345678") == {}
