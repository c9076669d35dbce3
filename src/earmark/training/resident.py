"""The training clips' frames in a device's own memory: batches are gathered there and cross no bus."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earmark.features import MEL_BANDS, PATCH_FRAMES
from earmark.training.sampler import I64


class Resident:
    """Frames of K clips, one after another, on a device.

    Args:
        frames_K: each clip's frames, (T, 64) in the stored precision.
        rows_K: how many frames each clip has.
        storage: the stored precision.
        device: where they are to lie.
    """

    def __init__(self, frames_K: Iterable[NDArray[Any]], rows_K: I64, storage: str, device: torch.device) -> None:
        self._first_row_K = np.cumsum(rows_K) - rows_K
        self._rows_RF = torch.empty(int(rows_K.sum()), MEL_BANDS, dtype=getattr(torch, storage), device=device)
        for first, frames_TF in zip(self._first_row_K.tolist(), frames_K, strict=True):
            # A copy: torch takes no read-only memory, which mapped shards are.
            self._rows_RF[first : first + len(frames_TF)].copy_(torch.from_numpy(np.array(frames_TF)))
        self._patches_PX = self._rows_RF.flatten().unfold(0, PATCH_FRAMES * MEL_BANDS, MEL_BANDS)

    def gather(self, clip_B: I64, start_B: I64) -> Tensor:
        """The patches that start at those frames of those clips, (B, 96, 64) on the device."""
        row_B = torch.from_numpy(self._first_row_K[clip_B] + start_B)
        if self._rows_RF.is_cuda:
            row_B = row_B.pin_memory().to(self._rows_RF.device, non_blocking=True)
        return self._patches_PX[row_B].view(-1, PATCH_FRAMES, MEL_BANDS)
