"""Batches of a real dataset."""

import dataclasses

import numpy as np
import pytest
import torch

from earmark.errors import UserError
from earmark.features import FrameStore
from earmark.features import dequantise as numpy_dequantise
from earmark.training.batches import Ahead, Batches, dequantise


def same(one, other):
    return torch.equal(one.x_BTF, other.x_BTF) and torch.equal(one.y_BC, other.y_BC)


def test_a_batch_holds_patches_of_training_clips_with_their_labels(shared_material, tiny_config):
    dataset = shared_material.open()
    batches = Batches(dataset, tiny_config())
    batch = batches.at(3)
    assert batch.x_BTF.shape == (16, 96, 64)
    assert batch.x_BTF.dtype == torch.uint8
    for patch, target in zip(batch.x_BTF.numpy(), batch.y_BC, strict=True):
        owners = [
            clip
            for clip in dataset.clips("train")
            for view in [dataset.frames.clip(clip.shard, clip.first_row, clip.rows)]
            if any(np.array_equal(view[start : start + 96], patch) for start in range(clip.rows - 95))
        ]
        assert owners
        assert {owner.labels for owner in owners} == {tuple(target.nonzero()[:, 0].tolist())}


def test_batches_do_not_depend_on_how_shards_lie(shared_material, tiny_config):
    dataset = shared_material.open()
    expected = Batches(dataset, tiny_config())
    held = dataset.clips("train")

    class Relaid:
        """The same clips, each in a shard of its own, the shards in reverse order."""

        labels = dataset.labels
        frames = FrameStore(
            [dataset.frames.clip(c.shard, c.first_row, c.rows) for c in reversed(held)], dataset.frames.spec
        )

        def clips(self, split):
            return [dataclasses.replace(c, shard=len(held) - 1 - i, first_row=0) for i, c in enumerate(held)]

    relaid = Batches(Relaid(), tiny_config())
    assert all(same(relaid.at(step), expected.at(step)) for step in range(5))


def test_batches_made_ahead_are_the_same_in_order(shared_material, tiny_config):
    batches = Batches(shared_material.open(), tiny_config())
    ahead = list(Ahead(batches, pin=False)(2, 9))
    assert len(ahead) == 7
    assert all(same(batch, batches.at(step)) for step, batch in enumerate(ahead, start=2))


def test_an_error_in_the_making_reaches_the_trainer(shared_material, tiny_config, monkeypatch):
    batches = Batches(shared_material.open(), tiny_config())
    monkeypatch.setattr(batches, "frames", None)
    with pytest.raises(AttributeError):
        next(Ahead(batches, pin=False)(0, 3))


def test_label_shares_are_those_of_the_patches(shared_material, tiny_config):
    dataset = shared_material.open()
    batches = Batches(dataset, tiny_config(augment={"random_offset": False}, train={"max_silent_share": 1.0}))
    counts = np.zeros(len(dataset.labels))
    for clip in dataset.clips("train"):
        counts[clip.labels[0]] += clip.rows // 96
    np.testing.assert_allclose(batches.label_shares(), counts / counts.sum())


def test_a_batch_over_the_data_is_refused_with_field_and_remedy(shared_material, tiny_config):
    with pytest.raises(UserError, match=r"train.batch_size is 5000 but .* has \d+ patches: set train.batch_size to"):
        Batches(shared_material.open(), tiny_config(train={"batch_size": 5000}))


def test_frames_become_the_log_mel_that_evaluation_sees(shared_material):
    frames = shared_material.open().frames
    x_BTF = frames.gather(np.zeros(4, int), np.arange(4) * 96)
    expected = numpy_dequantise(x_BTF, frames.spec)
    np.testing.assert_allclose(dequantise(torch.from_numpy(x_BTF), frames.spec).numpy(), expected, atol=1e-6)


def test_frames_kept_on_a_device_give_the_same_batches(shared_material, tiny_config):
    plain, kept = (Batches(shared_material.open(), tiny_config()) for _ in range(2))
    needed = sum(clip.rows for clip in kept.clips) * 64
    assert not kept.keep_on(torch.device("cpu"), free_bytes=2 * needed - 2)
    assert kept.resident is None
    assert kept.keep_on(torch.device("cpu"), free_bytes=2 * needed)
    assert all(same(kept.at(step), plain.at(step)) for step in range(6))
    never = Batches(shared_material.open(), tiny_config(train={"resident_share": 0.0}))
    assert not never.keep_on(torch.device("cpu"), free_bytes=2**50)


def test_balanced_label_shares_are_those_that_are_drawn(shared_material, tiny_config):
    dataset = shared_material.open()
    kept = dataset.clips("train")
    fewer = [clip for at, clip in enumerate(kept) if clip.labels != (0,) or at % 4 == 0]
    dataset.clips = lambda split: fewer
    shares = Batches(dataset, tiny_config()).label_shares()
    even = Batches(dataset, tiny_config(train={"balance": 1.0})).label_shares()
    assert shares.min() < 0.2
    np.testing.assert_allclose(even, 1 / 3, atol=0.03)


def test_what_coming_batches_need_is_asked_for_once_each_before_it_is_gathered(
    shared_material, tiny_config, monkeypatch
):
    batches, asked = Batches(shared_material.open(), tiny_config(train={"batch_size": 100})), []
    monkeypatch.setattr(batches, "expect", asked.append)
    ahead = Ahead(batches, pin=False)(3, 30)
    next(ahead)
    assert asked[:12] == list(range(3, 15))
    list(ahead)
    assert asked == list(range(3, 30))
