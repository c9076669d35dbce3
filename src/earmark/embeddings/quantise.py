"""Whitened embeddings as bytes and back, as the published Audio Set embeddings are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LOW, HIGH = -2.0, 2.0
"""Whitened values beyond are clipped: 4.56 % of Gaussian ones."""
STEPS = 255 / (HIGH - LOW)


def quantise(y_NK: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Whitened embeddings (N, K) clipped to [-2, 2] as bytes, 0 for -2 and 255 for 2.

    The cast truncates, as VGGish's: rounding would change half of all bytes.
    """
    q_NK: NDArray[np.uint8] = ((np.clip(y_NK, LOW, HIGH) - LOW) * STEPS).astype(np.uint8)
    return q_NK


def dequantise(q_NK: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Whitened embeddings (N, K) of bytes, as YouTube-8M's reader gives them: the middle of each step, to 1/8192."""
    return q_NK.astype(np.float32) * np.float32(1 / STEPS) + np.float32((HIGH - LOW) / 512 + LOW)
