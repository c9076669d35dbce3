"""Batches of stored frames with their targets, made one step ahead by a thread (numpy gathers without the GIL)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from earmark.catalog import Dataset
from earmark.config import Config, FeatureSpec
from earmark.errors import UserError
from earmark.features import FLOOR, MEL_BANDS, PATCH_FRAMES
from earmark.features.quantise import STEP
from earmark.training.augment import Draws, draw
from earmark.training.sampler import Sampler, eligible_patches, starts_of


@dataclass(frozen=True)
class Batch:
    """What one step trains on, before augmentation."""

    x_BTF: Tensor
    """Frames in stored precision."""
    y_BC: Tensor
    """Targets, 0 or 1."""
    draws: Draws

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        x_BTF, y_BC = (t.to(device, non_blocking=True) for t in (self.x_BTF, self.y_BC))
        return Batch(x_BTF, y_BC, self.draws.to(device))


class Batches:
    """The training part of a dataset as batches by step.

    Raises:
        UserError: a batch is larger than what there is to draw from.
    """

    def __init__(self, dataset: Dataset, config: Config) -> None:
        self.config, self.frames, self.n_labels = config, dataset.frames, len(dataset.labels)
        self.clips = dataset.clips("train")
        self.shard_K = np.array([clip.shard for clip in self.clips])
        self.first_row_K = np.array([clip.first_row for clip in self.clips])
        rows_K = np.array([clip.rows for clip in self.clips], dtype=np.int64)
        sound_S = None
        if config.train.max_silent_share < 1.0:
            clip_S, start_S = starts_of(rows_K)
            silent_S = self.frames.silent_share(self.shard_K[clip_S], self.first_row_K[clip_S] + start_S)
            sound_S = silent_S <= config.train.max_silent_share
        patches = eligible_patches(rows_K, sound_S, config.augment.random_offset)
        size = config.train.batch_size
        if size > len(patches):
            raise UserError(
                f"train.batch_size is {size} but the training part has {len(patches)} patches: "
                f"set train.batch_size to at most {len(patches)} or add clips"
            )
        self.sampler = Sampler(patches, size, config.seed)

    def at(self, step: int) -> Batch:
        """The batch of a step: the same whenever and wherever it is asked for."""
        clip_B, start_B = self.sampler.batch(step)
        x_BTF = self.frames.gather(self.shard_K[clip_B], self.first_row_K[clip_B] + start_B)
        y_BC = np.zeros((len(clip_B), self.n_labels), dtype=np.float32)
        for row, clip in enumerate(clip_B):
            y_BC[row, list(self.clips[clip].labels)] = 1.0
        draws = draw(self.config.augment, len(clip_B), PATCH_FRAMES, MEL_BANDS, self.config.seed, step)
        return Batch(torch.from_numpy(x_BTF), torch.from_numpy(y_BC), draws)

    def label_shares(self) -> npt.NDArray[np.float64]:
        """Of each label, the share of eligible patches that carry it."""
        patches_K = np.bincount(self.sampler.patches.clip_P, minlength=len(self.clips))
        carried_C = np.zeros(self.n_labels)
        for clip, patches in zip(self.clips, patches_K, strict=True):
            carried_C[list(clip.labels)] += patches
        share_C: npt.NDArray[np.float64] = carried_C / patches_K.sum()
        return share_C


class Ahead:
    """Batches in order, each made by a thread while the one before is trained on; counts the seconds waited."""

    def __init__(self, batches: Batches, pin: bool) -> None:
        self._batches, self._pin = batches, pin
        self.waited_seconds = 0.0

    def __call__(self, start: int, stop: int) -> Iterator[Batch]:
        """The batches of the steps ``start`` to ``stop`` - 1."""
        with ThreadPoolExecutor(1, "batches") as pool:
            coming: Future[Batch] | None = None
            for step in range(start, stop):
                current = coming or pool.submit(self._make, step)
                coming = pool.submit(self._make, step + 1) if step + 1 < stop else None
                asked = time.perf_counter()
                batch = current.result()
                self.waited_seconds += time.perf_counter() - asked
                yield batch

    def _make(self, step: int) -> Batch:
        batch = self._batches.at(step)
        if not self._pin:
            return batch
        return Batch(batch.x_BTF.pin_memory(), batch.y_BC.pin_memory(), batch.draws)


def dequantise(x_BTF: Tensor, spec: FeatureSpec) -> Tensor:
    """Stored frames as float32 log-mel, on their device."""
    return x_BTF.float().mul_(STEP).add_(FLOOR) if spec.storage == "uint8" else x_BTF.float()
