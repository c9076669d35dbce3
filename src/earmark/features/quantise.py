"""Stored precision of log-mel frames. uint8 is linear over [log 0.01, 6]: half a step is 0.021 log units."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.config import FeatureSpec
from earmark.features.spec import CEILING, FLOOR

STEP = (CEILING - FLOOR) / 255
"""Log units between neighbouring uint8 values."""


def quantise(x: NDArray[np.floating[Any]], spec: FeatureSpec) -> NDArray[Any]:
    """Log-mel values of any shape in the precision of ``spec.storage``; uint8 clips to [log 0.01, 6]."""
    if spec.storage != "uint8":
        return x.astype(spec.storage)
    steps = (x - FLOOR) * (1 / STEP)
    return np.clip(np.rint(steps, out=steps), 0, 255, out=steps).astype(np.uint8)


def dequantise(x: NDArray[Any], spec: FeatureSpec) -> NDArray[np.float32]:
    """Stored values of any shape as float32 log-mel: uint8 q is q * (6 - log 0.01) / 255 + log 0.01."""
    if spec.storage != "uint8":
        return x.astype(np.float32)
    values = x.astype(np.float32)
    values *= np.float32(STEP)
    values += np.float32(FLOOR)
    return values


def silent_frames(frames_TF: NDArray[Any], spec: FeatureSpec) -> NDArray[np.bool_]:
    """Which stored frames (T, 64) are digital silence, all bands at the floor: (T,)."""
    floor = quantise(np.array([FLOOR], np.float32), spec)[0]
    silent_T: NDArray[np.bool_] = frames_TF.max(axis=1, initial=0 if spec.storage == "uint8" else -np.inf) <= floor
    return silent_T
