"""Average precision, area under the ROC curve and d-prime per class, exact with ties, and their balanced means."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import overload

import numpy as np
import numpy.typing as npt

from earmark.errors import UserError
from earmark.metrics.arrays import Array, BoolArray, FloatArray, IntArray, as_pair, as_truth

BLOCK_BYTES = 4 * 2**20
"""Scores that are transposed and sorted at a time: few enough to stay in a processor's cache."""

BLOCK_CLASSES = 16
"""Least number of classes at a time, whatever their size: a cache line of float32 scores holds 16."""


@dataclass(frozen=True)
class Scores:
    """Ranking quality of N clips over C classes."""

    clips: int
    """Number of clips N."""
    ap_C: FloatArray
    """Average precision of each class; NaN where no clip has it."""
    auc_C: FloatArray
    """Area under the ROC curve of each class; NaN where no clip has it, or every clip."""
    d_prime_C: FloatArray
    """√2 · probit(AUC) of each class; ±inf where its AUC is 1 or 0."""
    positives_C: IntArray
    """Clips that have the class."""
    skipped: tuple[int, ...]
    """Classes that no clip has, or every clip: left out of all three means."""
    map: float
    """Mean of ``ap_C`` over the other classes, each weighing the same; NaN if there is none."""
    auc: float
    """Mean of ``auc_C`` over the same classes."""
    d_prime: float
    """d-prime of the mean ``auc`` (not the mean of ``d_prime_C``), as the paper computes it."""


def score(targets_NC: npt.ArrayLike, scores_NC: npt.ArrayLike) -> Scores:
    """AP, AUC and d-prime of each class and their class-balanced means.

        scores = score(targets, probabilities)  # both (clips, labels); targets 0 or 1
        scores.map, scores.auc, scores.d_prime, scores.ap_C[3]

    Only the order of a class's scores matters, so logits and sigmoids give the same; equal scores count as one
    threshold, so the order of the clips does not matter. AP is the step-wise sum Σ (R_n - R_n-1) P_n.

    Args:
        targets_NC: 0 or 1 (any dtype), clips × classes.
        scores_NC: real numbers, clips × classes; float32 is not widened.

    Raises:
        UserError: for shapes that differ, targets other than 0 and 1, and scores that are NaN.
    """
    targets, scores = as_pair(targets_NC, scores_NC)
    n_clips, n_classes = scores.shape
    ap_C, auc_C = np.full(n_classes, np.nan), np.full(n_classes, np.nan)
    positives_C = np.zeros(n_classes, np.int64)
    for block in _blocks(n_clips, n_classes, scores.itemsize):
        truth_CN = as_truth(np.ascontiguousarray(targets[:, block].T))
        scores_CN = scores[:, block].T.copy(order="C")  # sorted in place below, so never the caller's own
        for c, truth_N, scores_N in zip(range(block.start, block.stop), truth_CN, scores_CN, strict=True):
            positives = np.sort(scores_N[np.flatnonzero(truth_N)])
            scores_N.sort()
            if n_clips and np.isnan(scores_N[-1]):
                raise UserError(f"a score of class {c} is NaN: scores must be numbers")
            positives_C[c] = len(positives)
            ap_C[c], auc_C[c] = _rank(scores_N, positives)
    return _summary(n_clips, ap_C, auc_C, positives_C)


@overload
def d_prime(auc: float) -> float: ...
@overload
def d_prime(auc: Array) -> FloatArray: ...
def d_prime(auc: float | Array) -> float | FloatArray:
    """√2 · probit(AUC): how far apart, in standard deviations, two normal distributions of that AUC lie.

    inf for an AUC of 1, -inf for 0, NaN for NaN.

    Raises:
        UserError: for an AUC outside 0 to 1.
    """
    if isinstance(auc, np.ndarray):
        return np.array([d_prime(float(value)) for value in auc.ravel()], np.float64).reshape(auc.shape)
    if math.isnan(auc):
        return math.nan
    if not 0.0 <= auc <= 1.0:
        raise UserError(f"an AUC lies between 0 and 1 (got {auc})")
    if auc in (0.0, 1.0):
        return math.inf if auc else -math.inf
    return math.sqrt(2.0) * NormalDist().inv_cdf(auc)


def _blocks(n_clips: int, n_classes: int, itemsize: int) -> Iterator[slice]:
    size = max(BLOCK_CLASSES, BLOCK_BYTES // max(1, n_clips * itemsize))
    for start in range(0, n_classes, size):
        yield slice(start, min(start + size, n_classes))


def _rank(ordered_N: Array, positives: Array) -> tuple[float, float]:
    """AP and AUC of one class from its scores and its positives' scores, both ascending."""
    n, n_positives = len(ordered_N), len(positives)
    if not n_positives:
        return math.nan, math.nan
    below = np.searchsorted(ordered_N, positives, "left")
    alone = (ordered_N[np.minimum(below + 1, n - 1)] > positives) | (below == n - 1)
    if alone.all():  # no positive shares its score: one look-up instead of four
        positives_below = np.arange(n_positives)
        not_above, positives_not_above = below + 1, positives_below + 1
    else:
        not_above = np.searchsorted(ordered_N, positives, "right")
        positives_below = np.searchsorted(positives, positives, "left")
        positives_not_above = np.searchsorted(positives, positives, "right")
    precision = (n_positives - positives_below) / (n - below)
    negatives = n - n_positives
    if not negatives:
        return float(precision.mean()), math.nan
    # Negatives below a positive count twice, those level with it once; whole numbers up to the last division.
    twice_won = int((below + not_above - positives_below - positives_not_above).sum())
    return float(precision.mean()), twice_won / (2 * n_positives * negatives)


def averaged(positives_C: IntArray, n_clips: int) -> BoolArray:
    """Classes that some clips have and some have not: those over which means are taken."""
    return (positives_C > 0) & (positives_C < n_clips)


def _summary(n_clips: int, ap_C: FloatArray, auc_C: FloatArray, positives_C: IntArray) -> Scores:
    kept_C = averaged(positives_C, n_clips)
    auc = float(auc_C[kept_C].mean()) if kept_C.any() else math.nan
    return Scores(
        clips=n_clips,
        ap_C=ap_C,
        auc_C=auc_C,
        d_prime_C=d_prime(auc_C),
        positives_C=positives_C,
        skipped=tuple(int(c) for c in np.flatnonzero(~kept_C)),
        map=float(ap_C[kept_C].mean()) if kept_C.any() else math.nan,
        auc=auc,
        d_prime=d_prime(auc),
    )
