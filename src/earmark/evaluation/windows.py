"""Where a clip's patches start, and which ten seconds of it are shown."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.config import FeatureSpec
from earmark.errors import EarmarkError
from earmark.features import HOP, PATCH_FRAMES, SAMPLE_RATE, dequantise, patch_starts, silent_frames

FRAMES_PER_SECOND = SAMPLE_RATE / HOP
EXCERPT_SECONDS = 10.0


def window_starts(
    frames_TF: NDArray[Any], spec: FeatureSpec, hop_seconds: float, max_silent_share: float = 1.0
) -> NDArray[np.int64]:
    """First frames of a clip's patches, a hop apart; the last patch ends with the clip.

    Patches with more than ``max_silent_share`` of digitally silent frames are left out, unless all have.

    Raises:
        EarmarkError: the clip is shorter than a patch.
    """
    if len(frames_TF) < PATCH_FRAMES:
        raise EarmarkError(f"a clip of {len(frames_TF)} frames is shorter than a patch ({PATCH_FRAMES} frames)")
    starts_P = patch_starts(len(frames_TF), hop_seconds)
    before = np.concatenate([[0], np.cumsum(silent_frames(frames_TF, spec))])
    sounding_P = (before[starts_P + PATCH_FRAMES] - before[starts_P]) / PATCH_FRAMES <= max_silent_share
    return starts_P[sounding_P] if sounding_P.any() else starts_P


def excerpt(frames_TF: NDArray[Any], spec: FeatureSpec, seconds: float = EXCERPT_SECONDS) -> tuple[int, int]:
    """First frame and number of frames of the part that is shown: the whole clip, or its loudest ``seconds``."""
    length = round(seconds * FRAMES_PER_SECOND)
    if len(frames_TF) <= length:
        return 0, len(frames_TF)
    loudness_T = np.concatenate([[0.0], np.cumsum(dequantise(frames_TF, spec).mean(axis=1), dtype=np.float64)])
    # Whole seconds: a start that can be found again by ear.
    starts = np.arange(0, len(frames_TF) - length + 1, round(FRAMES_PER_SECOND))
    return int(starts[np.argmax(loudness_T[starts + length] - loudness_T[starts])]), length
