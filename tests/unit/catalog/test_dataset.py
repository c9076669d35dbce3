"""The dataset as training and evaluation read it."""

import json
import shutil

import numpy as np
import pytest

from earmark.catalog import Dataset
from earmark.errors import UserError
from earmark.store import CorruptObject


def test_the_examples_by_their_folds(steps, examples):
    result = steps(examples, max_rejected_share=0.0)
    assert result.findings == {}
    dataset = result.dataset
    assert dataset.single_label
    assert len(dataset.labels) == 10
    assert {clip.uri.split("/")[1][0] for clip in dataset.clips("test")} == {"3"}
    assert {clip.uri.split("/")[1][0] for split in ("train", "validation") for clip in dataset.clips(split)} == {
        "1",
        "2",
    }
    assert dataset.targets("test").sum(axis=0).tolist() == [4] * 10
    assert dataset.targets("validation").sum(axis=0).min() >= 1
    by_group = {}
    for clip, split in result.splits.items():
        by_group.setdefault(result.groups[clip], set()).add(split)
    assert all(len(splits) == 1 for splits in by_group.values())


def test_clips_lie_where_the_dataset_says(steps, two_labels):
    dataset = steps(two_labels).dataset
    frames = dataset.frames
    for split in ("train", "validation", "test"):
        clips = dataset.clips(split)
        assert [clip.clip_key for clip in clips] == sorted(clip.clip_key for clip in clips)
        for clip in clips:
            assert frames.clip(clip.shard, clip.first_row, clip.rows).shape == (clip.rows, 64)
    assert dataset.frames is frames


def test_targets_are_multi_hot_in_the_order_of_clips(steps, write, noise):
    lines = []
    for seed in range(24):
        root = write(f"{seed}.wav", noise(seed))
        lines.append(f"{seed}.wav,{['cat', 'cat;dog', 'bird'][seed % 3]}\n")
    write("clips.csv", "file,label\n" + "".join(lines))
    dataset = steps(root).dataset
    assert not dataset.single_label
    clips, y_NC = dataset.clips("train"), dataset.targets("train")
    assert y_NC.dtype == np.float32
    assert [tuple(np.flatnonzero(y_C)) for y_C in y_NC] == [clip.labels for clip in clips]
    assert dataset.labels == ["bird", "cat", "dog"]


def test_nothing_is_made_twice_and_nothing_depends_on_the_place(steps, two_labels, tmp_path):
    first = steps(two_labels)
    again = steps(two_labels)
    assert again.manifest.reused
    assert again.manifest == first.manifest
    shutil.copytree(two_labels, tmp_path / "elsewhere")
    moved = steps(tmp_path / "elsewhere")
    assert moved.manifest.digest == first.manifest.digest
    assert moved.manifest.facts["data"] == str(tmp_path / "elsewhere")


def test_the_digest_follows_the_splits(steps, two_labels):
    few, many = steps(two_labels), steps(two_labels, test_share=0.7)
    assert few.splits.keys() == many.splits.keys()
    assert few.splits != many.splits
    assert few.manifest.digest != many.manifest.digest


def test_the_evaluated_digest_follows_test_clips_and_labels_only(steps, write, noise):
    def data(extra=""):
        lines = []
        for seed in range(12):
            root = write(f"{seed}.wav", noise(seed))
            lines.append(f"{seed}.wav,{'cat' if seed % 2 else 'dog'},{'test' if seed < 4 else 'train'}\n")
        write("clips.csv", "file,label,split\n" + "".join(lines) + extra)
        return root

    first = steps(data()).dataset
    write("more.wav", noise(50))
    train_grew = steps(data("more.wav,cat,train\n")).dataset
    test_grew = steps(data("more.wav,cat,test\n")).dataset
    assert first.evaluated_digest("test") == train_grew.evaluated_digest("test")
    assert first.evaluated_digest("test") != test_grew.evaluated_digest("test")


def test_facts_tell_what_the_dataset_holds(steps, two_labels):
    result = steps(two_labels)
    facts = result.manifest.facts
    assert facts["digest"] == result.manifest.digest
    assert facts["labels"] == ["cat", "dog"]
    assert facts["evaluated"]["test"] == result.dataset.evaluated_digest("test")
    assert facts["clips"] == {split: len(result.dataset.clips(split)) for split in ("train", "validation", "test")}
    labels = json.loads(result.manifest.files["labels.json"].read(result.store))
    assert [label["count"] for label in labels] == [8, 8]


def test_a_split_that_is_not_known(steps, two_labels):
    with pytest.raises(UserError, match="did you mean 'validation'"):
        steps(two_labels).dataset.clips("valid")


def test_patches_of_other_data_are_refused(steps, two_labels, three_labels):
    cats, three = steps(two_labels), steps(three_labels)
    with pytest.raises(UserError, match="16 clips of the dataset have no frames"):
        Dataset.open(cats.store, cats.manifest, three.patches)


def test_a_damaged_file_is_refused(steps, two_labels):
    result = steps(two_labels)
    key = result.manifest.files["dataset.parquet"].object
    data = bytearray(result.store.get(key))
    data[len(data) // 2] ^= 1
    result.store.put(key, bytes(data))
    with pytest.raises(CorruptObject, match="damaged"):
        Dataset.open(result.store, result.manifest, result.patches)
