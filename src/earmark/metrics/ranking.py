"""Average precision, area under the ROC curve and d-prime per class, exact with ties, and their balanced means."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
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

TURNED_CLIPS = 256
"""Clips whose scores are transposed at a time: what is read and written then stays in a processor's first cache."""


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
    return score_blocks([(targets_NC, scores_NC)])


def score_blocks(blocks: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]]) -> Scores:
    """What :func:`score` gives of scores that are not in memory at once: only one block of them needs to be.

        score_blocks((targets[:, part], np.load(file)) for part, file in parts)

    Args:
        blocks: targets and scores, (clips, some classes) each, the first classes first; all of the same clips.

    Raises:
        UserError: as ``score``, and when there is no block, or one has other clips.
    """
    parts: list[tuple[FloatArray, FloatArray, IntArray]] = []
    n_clips, first = None, 0
    for targets_NB, scores_NB in blocks:
        targets, scores = as_pair(targets_NB, scores_NB)
        if n_clips not in (None, len(scores)):
            raise UserError(f"a block of scores is of {len(scores)} clips and the first of {n_clips}: score the same")
        n_clips = len(scores)
        parts += [
            _score_part(targets[:, part], scores[:, part], first + part.start)
            for part in _parts(len(scores), scores.shape[1], scores.itemsize)
        ]
        first += scores.shape[1]
    if n_clips is None:
        raise UserError("there is no block of scores: give one at least")
    ap, auc, positives = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _summary(n_clips, ap, auc, positives)


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


def _parts(n_clips: int, n_classes: int, itemsize: int) -> Iterator[slice]:
    size = min(max(BLOCK_CLASSES, BLOCK_BYTES // max(1, n_clips * itemsize)), 2**16)
    for start in range(0, max(1, n_classes), size):
        yield slice(start, min(start + size, n_classes))


def _score_part(targets_NB: Array, scores_NB: Array, first: int) -> tuple[FloatArray, FloatArray, IntArray]:
    """AP, AUC and number of positives of a few classes, (B,) each; ``first`` is the number of the first of them."""
    clip_P, positives_B = _positives(as_truth(targets_NB))
    scores_BN = _turned(scores_NB)
    ends = np.cumsum(positives_B)[:-1]
    positives = [scores_N[clips] for scores_N, clips in zip(scores_BN, np.split(clip_P, ends), strict=False)]
    for scores_N in (*scores_BN, *positives):
        scores_N.sort()
    if len(scores_NB) and (wrong := np.flatnonzero(np.isnan(scores_BN[:, -1]))).size:
        raise UserError(f"a score of class {first + wrong[0]} is NaN: scores must be numbers")
    return (*_rank(scores_BN, positives, positives_B), positives_B)


def _positives(truth_NB: BoolArray) -> tuple[IntArray, IntArray]:
    """The clips that have each class, class after class (P,), and how many each has (B,)."""
    n_classes = truth_NB.shape[1]
    clip_P, class_P = np.divmod(np.flatnonzero(truth_NB), max(1, n_classes))
    order_P = np.argsort(class_P.astype(np.uint16), kind="stable")  # a radix sort, as long as there are but 16 bits
    return clip_P[order_P], np.bincount(class_P, minlength=n_classes)


def _turned(scores_NB: Array) -> Array:
    """A transposed copy, class after class."""
    scores_BN = np.empty(scores_NB.shape[::-1], scores_NB.dtype)
    for start in range(0, len(scores_NB), TURNED_CLIPS):
        scores_BN[:, start : start + TURNED_CLIPS] = scores_NB[start : start + TURNED_CLIPS].T
    return scores_BN


def _rank(ordered_BN: Array, positives: Sequence[Array], positives_B: IntArray) -> tuple[FloatArray, FloatArray]:
    """AP and AUC of a few classes, (B,) each, from their scores and their positives' scores, all ascending."""
    n = ordered_BN.shape[1]
    ap_B, auc_B = np.full(len(positives), np.nan), np.full(len(positives), np.nan)
    some = np.flatnonzero(positives_B)
    if not len(some):
        return ap_B, auc_B
    count_B = positives_B[some]
    first_B = np.cumsum(count_B) - count_B
    score_P, class_P = np.concatenate(positives), np.repeat(some, count_B)
    below_P = np.concatenate([np.searchsorted(ordered_BN[b], positives[b], "left") for b in some.tolist()])
    positives_below_P = np.arange(len(score_P)) - np.repeat(first_B, count_B)
    not_above_P, positives_not_above_P = below_P + 1, positives_below_P + 1
    level_P = (below_P < n - 1) & (ordered_BN[class_P, np.minimum(below_P + 1, n - 1)] == score_P)
    # Classes in which no positive shares its score need one look-up instead of four.
    for b in np.unique(class_P[level_P]).tolist():
        own, part = positives[b], slice(*np.searchsorted(class_P, (b, b + 1)))
        not_above_P[part] = np.searchsorted(ordered_BN[b], own, "right")
        positives_below_P[part] = np.searchsorted(own, own, "left")
        positives_not_above_P[part] = np.searchsorted(own, own, "right")
    precision_P = (np.repeat(count_B, count_B) - positives_below_P) / (n - below_P)
    ap_B[some] = np.add.reduceat(precision_P, first_B) / count_B
    # Negatives below a positive count twice, those level with it once; whole numbers up to the last division.
    twice_won_P = below_P + not_above_P - positives_below_P - positives_not_above_P
    with np.errstate(invalid="ignore"):  # a class that every clip has: 0 / 0
        auc_B[some] = np.add.reduceat(twice_won_P, first_B) / (2 * count_B * (n - count_B))
    return ap_B, auc_B


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
