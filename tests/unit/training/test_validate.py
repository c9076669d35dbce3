"""Validation scores, against a slow computation of the same."""

import numpy as np
import torch

from earmark.config import EvaluateConfig
from earmark.features import dequantise
from earmark.training.validate import Validation


def logits_of(x_PTF):
    """Some function of a patch's sound for each of three labels."""
    x = x_PTF.float() / 255
    return torch.stack([x.mean((1, 2)), x[:, :, 32:].mean((1, 2)), x.std(dim=(1, 2))], dim=1) * 8 - 2


def test_a_clip_scores_the_mean_of_its_patches_sigmoids(shared_material):
    dataset = shared_material.open()
    validation = Validation(dataset, EvaluateConfig(hop_seconds=0.48), "sigmoid")
    scores = []
    for clip in dataset.clips("validation"):
        frames = dataset.frames.clip(clip.shard, clip.first_row, clip.rows)
        patches = np.stack([frames[start : start + 96] for start in range(0, clip.rows - 95, 48)])
        scores.append(logits_of(torch.from_numpy(patches)).sigmoid().mean(dim=0).numpy())
    targets = dataset.targets("validation")
    expected = targets[np.arange(len(scores)), np.argmax(scores, axis=1)].mean()
    assert len(validation) == len(scores) > 5
    assert validation.score(logits_of)["accuracy"] == expected


def test_silent_patches_do_not_count_where_the_clip_has_others(shared_material):
    dataset = shared_material.open()
    validation = Validation(dataset, EvaluateConfig(hop_seconds=0.24, max_silent_share=0.5), "sigmoid")
    everything = Validation(dataset, EvaluateConfig(hop_seconds=0.24), "sigmoid")
    x_PTF = dequantise(dataset.frames.gather(validation.shard_P, validation.row_P), dataset.frames.spec)
    silent_P = (x_PTF.max(axis=2) < -4.6).mean(axis=1)
    assert set(validation.clip_P) == set(range(len(validation)))
    loud_clips = {clip for clip, silent in zip(validation.clip_P, silent_P, strict=True) if silent <= 0.5}
    assert all(silent <= 0.5 for clip, silent in zip(validation.clip_P, silent_P, strict=True) if clip in loud_clips)
    assert len(validation.row_P) < len(everything.row_P)


def test_several_labels_a_clip_have_no_accuracy(shared_material, monkeypatch):
    dataset = shared_material.open()
    monkeypatch.setattr(dataset, "single_label", False)
    found = Validation(dataset, EvaluateConfig(), "sigmoid").score(logits_of)
    assert found["accuracy"] is None
    assert 0 < found["map"] <= 1
