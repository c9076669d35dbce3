"""The numbers of the front end (VGGish's): every other module of this room takes them from here."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
WINDOW = 400
"""Samples in an analysis window: 25 ms."""
HOP = 160
"""Samples between frames: 10 ms."""
FFT = 512
"""Length of the transform; the window is followed by zeros."""
MEL_BANDS = 64
MEL_LOW_HZ, MEL_HIGH_HZ = 125.0, 7500.0
LOG_OFFSET = 0.01
"""Added to a mel value before its natural logarithm."""
FLOOR = math.log(LOG_OFFSET)
"""The log-mel value of digital silence."""
CEILING = 6.0
"""The log-mel value at the top of the uint8 scale."""
PATCH_FRAMES = 96
"""Frames in a patch: 960 ms."""
PATCH_SAMPLES = WINDOW + (PATCH_FRAMES - 1) * HOP
"""Samples that a first patch needs: 15,600."""


def frame_count(samples: int) -> int:
    """Frames of that many samples at 16 kHz: windows that fit whole, T = 1 + floor((N - 400) / 160), 0 below 400."""
    return 1 + (samples - WINDOW) // HOP if samples >= WINDOW else 0


def padded_samples(samples: int) -> int:
    """Samples after zero-padding to a whole number of patches (as YAMNet), at least one."""
    more = max(0, samples - PATCH_SAMPLES)
    return PATCH_SAMPLES + -(-more // (PATCH_FRAMES * HOP)) * PATCH_FRAMES * HOP


def patch_count(samples: int, tail: str) -> int:
    """Patches on the grid of 96 frames, of that many samples at 16 kHz, by tail rule (``pad`` or ``drop``)."""
    if tail == "pad":
        return frame_count(padded_samples(samples)) // PATCH_FRAMES if samples else 0
    return frame_count(samples) // PATCH_FRAMES


def patch_starts(rows: int, hop_seconds: float) -> NDArray[np.int64]:
    """First frames of the patches of a clip of ``rows`` frames (at least 96), a hop apart; the last ends with it."""
    last = rows - PATCH_FRAMES
    hop = max(1, round(hop_seconds * SAMPLE_RATE / HOP))
    return np.union1d(np.arange(0, last + 1, hop, dtype=np.int64), last)
