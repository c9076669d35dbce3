"""Data that is only scored: every clip is test, and nothing is asked of it that only training needs."""

import pytest

from earmark.catalog import build_catalog
from earmark.config import DataConfig
from earmark.errors import UserError
from earmark.progress import Progress
from earmark.store import open_store

QUIET = Progress("test", mode="off")


def test_every_clip_is_test_whatever_the_data_says(steps, examples):
    result = steps(examples, all_test=True)
    assert set(result.splits.values()) == {"test"}
    assert len(result.splits) == 120


def test_a_label_may_have_one_clip_and_data_one_label(steps, write, noise, tmp_path):
    write("dog/a.wav", noise(1))
    result = steps(tmp_path / "data", all_test=True)
    assert list(result.splits.values()) == ["test"]


def test_a_catalog_made_for_scoring_does_not_let_training_pass(write, noise, tmp_path):
    write("dog/a.wav", noise(1))
    store = open_store(tmp_path / "kept")
    build_catalog(store, str(tmp_path / "data"), DataConfig(all_test=True), QUIET)
    with pytest.raises(UserError, match="one label, 'dog', and a tagger needs two or more"):
        build_catalog(store, str(tmp_path / "data"), DataConfig(), QUIET)
