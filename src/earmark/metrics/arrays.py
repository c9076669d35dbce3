"""What comes in: targets and scores of the same clips and labels, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from earmark.errors import UserError

Array = npt.NDArray[Any]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def as_pair(targets_NC: npt.ArrayLike, scores_NC: npt.ArrayLike) -> tuple[Array, Array]:
    """Both as arrays of one shape, scores as floating point numbers (float32 and float64 stay what they are).

    Raises:
        UserError: when they are not two tables of one shape, or the scores are not real numbers.
    """
    targets, scores = np.asarray(targets_NC), np.asarray(scores_NC)
    if targets.ndim != 2 or targets.shape != scores.shape:
        raise UserError(
            f"targets {targets.shape} and scores {scores.shape} must be two tables of one shape: clips × labels"
        )
    if scores.dtype.kind not in "fiub":
        raise UserError(f"scores must be real numbers, got {scores.dtype}")
    if scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(np.float32 if scores.dtype == np.float16 else np.float64)
    return targets, scores


def as_truth(targets: Array) -> BoolArray:
    """Targets as booleans.

    Raises:
        UserError: when a target is neither 0 nor 1.
    """
    if targets.dtype == np.bool_:
        return targets
    true: BoolArray = targets == 1
    if np.count_nonzero(targets) != np.count_nonzero(true):
        raise UserError("targets must be 0 or 1 (one column a label)")
    return true
