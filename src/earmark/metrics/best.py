"""What the top-scored label says: 1-best accuracy, recall per class, confusion matrix.

Of labels that share the top score the first counts.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from earmark.errors import UserError
from earmark.metrics.arrays import Array, BoolArray, FloatArray, IntArray, as_pair, as_truth


def one_best_accuracy(targets_NC: npt.ArrayLike, scores_NC: npt.ArrayLike) -> float:
    """Share of the clips whose top-scored label is among their true ones.

    Clips without a true label are left out; NaN if that leaves none.
    """
    truth_NC, _, top_N = top_labels(targets_NC, scores_NC)
    labelled_N = truth_NC.any(axis=1)
    if not labelled_N.any():
        return math.nan
    return float(truth_NC[np.arange(len(top_N)), top_N][labelled_N].mean())


def recall(targets_NC: npt.ArrayLike, scores_NC: npt.ArrayLike) -> FloatArray:
    """For each class, the share of its clips whose top-scored label it is; NaN where no clip has it."""
    truth_NC, _, top_N = top_labels(targets_NC, scores_NC)
    clips_C = truth_NC.sum(axis=0)
    hits_C = (truth_NC & (top_N[:, None] == np.arange(truth_NC.shape[1]))).sum(axis=0)
    return np.where(clips_C > 0, hits_C / np.maximum(clips_C, 1), np.nan)


def confusion(targets_NC: npt.ArrayLike, scores_NC: npt.ArrayLike) -> IntArray:
    """Clips by true label (rows) and top-scored label (columns), (C, C).

    Raises:
        UserError: when a clip has not exactly one true label.
    """
    truth_NC, _, top_N = top_labels(targets_NC, scores_NC)
    if (truth_NC.sum(axis=1) != 1).any():
        raise UserError("a confusion matrix needs exactly one true label a clip")
    n_classes = truth_NC.shape[1]
    cells = truth_NC.argmax(axis=1) * n_classes + top_N if len(top_N) else top_N
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


def top_labels(targets_NC: npt.ArrayLike, scores_NC: npt.ArrayLike) -> tuple[BoolArray, Array, IntArray]:
    """Targets as booleans (N, C), scores (N, C), and the top-scored label of each clip (N,).

    Raises:
        UserError: as :func:`earmark.metrics.score`, and when there is no label at all.
    """
    targets, scores = as_pair(targets_NC, scores_NC)
    if not scores.shape[1]:
        raise UserError("scores have no label")
    top_N: IntArray = scores.argmax(axis=1)
    _refuse_nan(scores, top_N)
    return as_truth(targets), scores, top_N


def _refuse_nan(scores: Array, top_N: IntArray) -> None:
    # argmax returns a NaN's place where there is one, so the top scores alone need a look.
    bad = np.flatnonzero(np.isnan(scores[np.arange(len(top_N)), top_N]))
    if len(bad):
        raise UserError(f"a score of clip {bad[0]} is NaN: scores must be numbers")
