"""Batches of stored frames with their targets, made one step ahead by a thread (numpy gathers without the GIL)."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

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
from earmark.training.resident import Resident
from earmark.training.sampler import I64, Patches, Sampler, balanced, eligible_patches

HINTED_PATCHES = 1024
"""How far ahead the system is told what to read: enough reads in flight for a disk's full rate."""


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


def eligible(dataset: Dataset, config: Config) -> Patches:
    """The patches of a dataset's training clips that batches are drawn from."""
    clips = dataset.clips("train")
    rows_K = np.array([clip.rows for clip in clips], dtype=np.int64)
    sound_S = None
    if config.train.max_silent_share < 1.0:
        sound_S = np.empty(int((rows_K - PATCH_FRAMES + 1).sum()), bool)
        at = 0
        for clip in clips:
            silent_S = dataset.frames.silent_share(clip.shard, clip.first_row, clip.rows)
            sound_S[at : at + len(silent_S)] = silent_S <= config.train.max_silent_share
            at += len(silent_S)
    return eligible_patches(rows_K, sound_S, config.augment.random_offset)


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
        patches = eligible(dataset, config)
        size = config.train.batch_size
        if size > len(patches):
            raise UserError(
                f"train.batch_size is {size} but the training part has {len(patches)} patches: "
                f"set train.batch_size to at most {len(patches)} or add clips"
            )
        if config.train.balance > 0:
            labels_K = [clip.labels for clip in self.clips]
            patches = balanced(patches, labels_K, self.n_labels, config.train.balance, config.seed)
        self.sampler = Sampler(patches, size, config.seed)
        self.resident: Resident | None = None
        self._expected: dict[int, tuple[I64, I64]] = {}

    def keep_on(self, device: torch.device, free_bytes: int) -> bool:
        """Keep the training clips' frames on a device if ``train.resident_share`` of its free memory takes them."""
        rows_K = np.array([clip.rows for clip in self.clips])
        needed = int(rows_K.sum()) * MEL_BANDS * np.dtype(self.frames.spec.storage).itemsize
        if needed <= self.config.train.resident_share * free_bytes:
            held = (self.frames.clip(clip.shard, clip.first_row, clip.rows) for clip in self.clips)
            self.resident = Resident(held, rows_K, self.frames.spec.storage, device)
        return self.resident is not None

    def expect(self, step: int) -> None:
        """Have the system read what the batch of a step needs."""
        if self.resident is None:
            clip_B, start_B = self._expected[step] = self.sampler.batch(step)
            self.frames.expect(self.shard_K[clip_B], self.first_row_K[clip_B] + start_B)

    def at(self, step: int) -> Batch:
        """The batch of a step: the same whenever and wherever it is asked for."""
        clip_B, start_B = self._expected.pop(step) if step in self._expected else self.sampler.batch(step)
        x_BTF = self._frames(clip_B, start_B)
        labels_B = [self.clips[clip].labels for clip in clip_B.tolist()]
        y_BC = np.zeros((len(clip_B), self.n_labels), dtype=np.float32)
        y_BC[np.arange(len(clip_B)).repeat([*map(len, labels_B)]), [*chain.from_iterable(labels_B)]] = 1.0
        draws = draw(self.config.augment, len(clip_B), PATCH_FRAMES, MEL_BANDS, self.config.seed, step)
        return Batch(x_BTF, torch.from_numpy(y_BC), draws)

    def clip_ids(self, step: int) -> list[str]:
        """The ids of the clips in the batch of a step, each once, as people call them."""
        clip_B, _ = self.sampler.batch(step)
        return list(dict.fromkeys(self.clips[clip].clip_id for clip in clip_B))

    def label_shares(self) -> npt.NDArray[np.float64]:
        """Of each label, the share of the patches drawn that carry it."""
        drawn = self.sampler.patches
        patches_K = np.bincount(drawn.clip_P, drawn.times_P, minlength=len(self.clips))
        carried_C = np.zeros(self.n_labels)
        for clip, patches in zip(self.clips, patches_K, strict=True):
            carried_C[list(clip.labels)] += patches
        share_C: npt.NDArray[np.float64] = carried_C / patches_K.sum()
        return share_C

    def _frames(self, clip_B: I64, start_B: I64) -> Tensor:
        if self.resident is not None:
            return self.resident.gather(clip_B, start_B)
        return torch.from_numpy(self.frames.gather(self.shard_K[clip_B], self.first_row_K[clip_B] + start_B))


class Ahead:
    """Batches in order, each made by a thread while the one before is trained on; counts the seconds waited.

    The thread also tells the system which parts of the shards the batches after it need.
    """

    def __init__(self, batches: Batches, pin: bool) -> None:
        self._batches, self._pin = batches, pin
        self.waited_seconds = 0.0

    def __call__(self, start: int, stop: int) -> Iterator[Batch]:
        """The batches of the steps ``start`` to ``stop`` - 1."""
        self._told = start
        with ThreadPoolExecutor(1, "batches") as pool:
            coming: Future[Batch] | None = None
            for step in range(start, stop):
                current = coming or pool.submit(self._make, step, stop)
                coming = pool.submit(self._make, step + 1, stop) if step + 1 < stop else None
                asked = time.perf_counter()
                batch = current.result()
                self.waited_seconds += time.perf_counter() - asked
                yield batch

    def _make(self, step: int, stop: int) -> Batch:
        until = min(stop, step + 1 + math.ceil(HINTED_PATCHES / self._batches.sampler.batch_size))
        for coming in range(max(self._told, step), until):
            self._batches.expect(coming)
        self._told = until
        batch = self._batches.at(step)
        if not self._pin:
            return batch
        x_BTF = batch.x_BTF if batch.x_BTF.is_cuda else batch.x_BTF.pin_memory()
        return Batch(x_BTF, batch.y_BC.pin_memory(), batch.draws)


def dequantise(x_BTF: Tensor, spec: FeatureSpec) -> Tensor:
    """Stored frames as float32 log-mel, on their device."""
    return x_BTF.float().mul_(STEP).add_(FLOOR) if spec.storage == "uint8" else x_BTF.float()
