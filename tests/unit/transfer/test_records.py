"""Audio Set's published embeddings: from files to a fitted, evaluated head, and what is refused."""

import json

import numpy as np
import pytest

from earmark.catalog import Dataset
from earmark.config import make_config
from earmark.embeddings.quantise import dequantise
from earmark.embeddings.records import record, sequence_example
from earmark.errors import UserError
from earmark.evaluation import load_model
from earmark.store import open_store
from earmark.transfer import evaluate_head, read_embeddings, train_head
from earmark.transfer.stored import Embeddings

from .conftest import QUIET, RUN

NAMES_FILE = "class_labels_indices.csv"
NAMES = 'index,mid,display_name\n0,/m/a,Speech\n1,/m/b,"Dog, bark"\n'


def clip(name, labels, random, seconds=3):
    """A clip whose labels can be heard: a label's bytes are high in its half."""
    values_PK = random.integers(60, 140, (seconds, 128))
    for label in labels:
        values_PK[:, 64 * label : 64 * label + 64] += 60
    return record(sequence_example(name, 10.0, 20.0, labels, values_PK.astype(np.uint8)))


@pytest.fixture
def published(tmp_path):
    """A folder as the archive unpacks: training and evaluation clips of two labels, some with both."""
    random = np.random.default_rng(1)
    root = tmp_path / "audioset_v1_embeddings"
    kinds = [[0], [1], [0, 1]]
    for folder, count in (("bal_train", 60), ("unbal_train", 30), ("eval", 24)):
        (root / folder).mkdir(parents=True)
        for part in range(2):
            names = [f"{folder}{part}x{number}" for number in range(count // 2)]
            clips = [clip(name, kinds[number % 3], random) for number, name in enumerate(names)]
            (root / folder / f"0{part}.tfrecord").write_bytes(b"".join(clips))
    (root / NAMES_FILE).write_text(NAMES)
    return root


def test_a_head_is_fitted_and_evaluated_without_any_sound(published, tmp_path, mlflow_db):
    store = open_store(tmp_path / "store")
    dataset, embedded, patches = read_embeddings(store, str(published), QUIET)
    counts = dataset.facts["clips"]
    assert counts["test"] == 24
    assert counts["train"] + counts["validation"] == 90
    assert 0 < counts["validation"] < 30
    assert dataset.facts["labels"] == ["Speech", "Dog, bark"]
    config = make_config("quick", {"evaluate": {"bootstrap_resamples": 100}})
    made = train_head(store, dataset, embedded, None, "linear", config, RUN, QUIET)
    metrics = evaluate_head(store, made, dataset, embedded, patches, config, QUIET)
    assert metrics.facts["test"]["map"] > 0.95
    assert json.loads(metrics.files["timelines.json"].read(store))["clips"] == []
    assert read_embeddings(store, str(published), QUIET)[0] == dataset
    with pytest.raises(UserError, match="without their network"):
        load_model(store, made)


def test_embeddings_are_the_published_bytes_dequantised(published, tmp_path):
    store = open_store(tmp_path / "store")
    values_PK = np.arange(256, dtype=np.uint8).reshape(2, 128)
    (published / "eval" / "02.tfrecord").write_bytes(record(sequence_example("known", 0.0, 2.0, [1], values_PK)))
    dataset, embedded, patches = read_embeddings(store, str(published), QUIET)
    [found] = [c for c in Dataset.open(store, dataset, patches).clips("test") if c.clip_id == "known_0_2"]
    assert found.labels == (1,)
    assert np.array_equal(Embeddings(store, embedded).clip(found.clip_key), dequantise(values_PK))


def test_without_the_list_labels_are_numbers_and_empty_clips_are_left_out(published, tmp_path):
    (published / NAMES_FILE).unlink()
    empty = record(sequence_example("empty", 0.0, 1.0, [1], np.empty((0, 128), np.uint8)))
    (published / "eval" / "02.tfrecord").write_bytes(empty)
    dataset, _, _ = read_embeddings(open_store(tmp_path / "store"), str(published), QUIET)
    assert dataset.facts["labels"] == ["0", "1"]
    assert dataset.facts["findings"] == {"no samples": 1}
    assert dataset.facts["clips"]["test"] == 24


def broken(published, name, data):
    (published / name).parent.mkdir(exist_ok=True)
    (published / name).write_bytes(data)


CASES = {
    "damaged": (
        "eval/02.tfrecord",
        clip("x", [0], np.random.default_rng(0))[:-1],
        r"02\.tfrecord, byte 0: .*ends",
    ),
    "label": ("eval/02.tfrecord", record(sequence_example("x", 0, 1, [7], np.zeros((1, 128), np.uint8))), "label 7"),
    "size": ("eval/02.tfrecord", record(sequence_example("x", 0, 1, [0], np.zeros((1, 64), np.uint8))), "64 bytes"),
    "twice": ("eval/02.tfrecord", clip("bal_train0x1", [0], np.random.default_rng(0)), "leave one of them out"),
    "list": (NAMES_FILE, b"index,mid,display_name\n0,/m/a,Speech\n2,/m/b,Dog\n", r"line 3: index 2 where 1"),
    "columns": (NAMES_FILE, b"a,b\n1,2\n", "needs columns index, mid and display_name"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_read_is_named(published, tmp_path, case):
    name, data, told = CASES[case]
    broken(published, name, data)
    with pytest.raises(UserError, match=told):
        read_embeddings(open_store(tmp_path / "store"), str(published), QUIET)


def test_a_folder_without_records_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"features\.tar\.gz"):
        read_embeddings(open_store(tmp_path / "store"), str(tmp_path / "empty"), QUIET)
