"""How well a network does on the validation part: clip scores, 1-best accuracy, mAP and AUC. Never sees test clips."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from earmark.architectures import scores_of
from earmark.catalog import Dataset
from earmark.config import EvaluateConfig
from earmark.features import patch_starts
from earmark.metrics import one_best_accuracy, score
from earmark.training.distributed import World, alone

PATCHES_AT_ONCE = 128


class Validation:
    """The validation part, ready to be scored.

    Args:
        dataset: clips and frames; may have no validation part (``len`` is 0 then).
        config: distance between patches (the last ends with the clip), and how silent they may be.
        output: ``sigmoid`` or ``softmax``.
        world: the processes that share the work, each whole clips.
    """

    def __init__(self, dataset: Dataset, config: EvaluateConfig, output: str, world: World | None = None) -> None:
        self.output, self.world = output, world or alone()
        clips = dataset.clips("validation")
        self.frames, self.y_NC = dataset.frames, dataset.targets("validation")
        self.single_label = dataset.single_label
        shards, rows, owners = [], [], []
        for number, clip in enumerate(clips):
            start_P = patch_starts(clip.rows, config.hop_seconds)
            if config.max_silent_share < 1.0:
                silent_S = self.frames.silent_share(clip.shard, clip.first_row, clip.rows)
                sound_P = silent_S[start_P] <= config.max_silent_share
                start_P = start_P[sound_P] if sound_P.any() else start_P
            rows.append(clip.first_row + start_P)
            shards.append(np.full(len(start_P), clip.shard))
            owners.append(np.full(len(start_P), number))
        self.row_P, self.shard_P, self.clip_P = (
            np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64) for parts in (rows, shards, owners)
        )

        (self.mine_P,) = np.nonzero(self.clip_P * self.world.size // max(1, len(self)) == self.world.rank)

    def __len__(self) -> int:
        return len(self.y_NC)

    @torch.no_grad()
    def score(self, predict: Callable[[Tensor], Tensor]) -> dict[str, float | None]:
        """Figures of the whole part; ``predict`` maps stored frames (P, 96, 64) to logits (P, C) on any device.

        A clip's score is the mean of its patches' scores. ``accuracy`` is None where clips have several labels.
        """
        sum_NC = np.zeros(self.y_NC.shape, dtype=np.float64)
        for start in range(0, len(self.mine_P), PATCHES_AT_ONCE):
            part = self.mine_P[start : start + PATCHES_AT_ONCE]
            x_PTF = torch.from_numpy(self.frames.gather(self.shard_P[part], self.row_P[part]))
            np.add.at(sum_NC, self.clip_P[part], scores_of(predict(x_PTF), self.output).cpu().numpy())
        scores_NC = self.world.sum(sum_NC) / np.bincount(self.clip_P, minlength=len(self))[:, None]
        found = score(self.y_NC, scores_NC)
        accuracy = one_best_accuracy(self.y_NC, scores_NC) if self.single_label else None
        return {"accuracy": accuracy, "map": _known(found.map), "auc": _known(found.auc)}


def _known(value: float) -> float | None:
    """None for a mean over no class."""
    return float(value) if math.isfinite(value) else None
