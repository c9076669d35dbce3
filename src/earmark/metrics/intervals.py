"""Bootstrap intervals over clips: resampled sets are vectors of counts, so each class is sorted once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from earmark.errors import UserError
from earmark.metrics.arrays import Array, BoolArray, FloatArray, IntArray
from earmark.metrics.best import top_labels
from earmark.metrics.ranking import d_prime

BLOCK_COUNTS = 4 * 2**20
"""Counts (resamples × clips) that are held at a time, if that is enough for ``LEAST_RESAMPLES``."""

LEAST_RESAMPLES = 16
"""Every block sorts each class anew: with fewer resamples a block, a million clips would mostly be sorted."""

Counts = npt.NDArray[np.int32]


class Interval(NamedTuple):
    """Lower and upper end of a percentile interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Intervals:
    """How far the scores would move on other clips of the same kind."""

    confidence: float
    resamples: int
    map: Interval
    auc: Interval
    d_prime: Interval
    accuracy: Interval
    """Of the 1-best accuracy."""
    ap_C2: FloatArray
    """(C, 2): low and high of each class's average precision; NaN where no clip has it."""
    auc_C2: FloatArray
    d_prime_C2: FloatArray
    recall_C2: FloatArray
    """(C, 2): low and high of the share of a class's clips whose top-scored label it is."""


class Resampled(NamedTuple):
    """Scores of R resampled sets, each exactly what :func:`earmark.metrics.score` gives for it."""

    map_R: FloatArray
    auc_R: FloatArray
    accuracy_R: FloatArray
    ap_RC: FloatArray
    auc_RC: FloatArray
    recall_RC: FloatArray


def bootstrap(
    targets_NC: npt.ArrayLike,
    scores_NC: npt.ArrayLike,
    *,
    groups: Sequence[Any] | None = None,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Intervals:
    """Percentile bootstrap intervals of what :func:`score` and :func:`one_best_accuracy` give.

        bootstrap(targets, scores).map  # Interval(low=0.71, high=0.83)

    A class that a resample loses (no clip has it, or every clip) is left out of that resample's means, as in ``score``.
    Time grows as resamples × clips × classes: 10 ms for 1000 × 80 × 10, half a second for
    1000 × 2,000 × 50, 15 s for 1000 × 20,000 × 100.

    Args:
        targets_NC: 0 or 1, clips × classes.
        scores_NC: real numbers, clips × classes.
        groups: what each clip was cut from (any hashable); groups are then drawn whole, since their clips are not
            independent. None draws clips.
        resamples: number of resampled sets R.
        confidence: coverage of the intervals.
        seed: fixes the resamples.

    Raises:
        UserError: as ``score``, and when there is no clip, or a group is not given for each clip.
    """
    ends = _ends(confidence)
    drawn = resample(targets_NC, scores_NC, groups=groups, resamples=resamples, seed=seed)
    auc, auc_C2 = interval(drawn.auc_R, confidence), _percentiles(drawn.auc_RC, ends)
    return Intervals(
        confidence=confidence,
        resamples=resamples,
        map=interval(drawn.map_R, confidence),
        auc=auc,
        # d-prime rises with AUC, so its percentiles are those of AUC; taken there they are safe from infinities.
        d_prime=Interval(d_prime(auc.low), d_prime(auc.high)),
        accuracy=interval(drawn.accuracy_R, confidence),
        ap_C2=_percentiles(drawn.ap_RC, ends),
        auc_C2=auc_C2,
        d_prime_C2=d_prime(auc_C2),
        recall_C2=_percentiles(drawn.recall_RC, ends),
    )


def resample(
    targets_NC: npt.ArrayLike,
    scores_NC: npt.ArrayLike,
    *,
    groups: Sequence[Any] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Resampled:
    """Scores of resampled sets, as :func:`bootstrap` draws them.

    The sets depend on the clips' groups and the seed alone, so what two networks get on the same clips may be
    subtracted set by set: that is a paired comparison.

    Raises:
        UserError: as ``bootstrap``.
    """
    if resamples < 1:
        raise UserError(f"let resamples be at least 1 (got {resamples})")
    truth_NC, scores, top_N = top_labels(targets_NC, scores_NC)
    if not len(truth_NC):
        raise UserError("there are no clips to resample")
    group_N = _group_numbers(groups, len(truth_NC))
    blocks = [
        resampled_scores(truth_NC, scores, top_N, counts_RN) for counts_RN in resample_counts(group_N, resamples, seed)
    ]
    return Resampled(
        *(np.concatenate([getattr(block, name) for block in blocks]) for name in Resampled.__annotations__)
    )


def interval(values_R: FloatArray, confidence: float) -> Interval:
    """The percentile interval of resampled values; NaN among them are left out."""
    low, high = _percentiles(values_R[:, None], _ends(confidence))[0]
    return Interval(float(low), float(high))


def resample_counts(group_N: IntArray, resamples: int, seed: int) -> Iterator[Counts]:
    """How often each clip is in each resampled set, (R, N), in blocks of resamples.

    Args:
        group_N: number of each clip's group; as many groups are drawn, with replacement, as there are.
        resamples: number of rows over all blocks.
        seed: of the draws.
    """
    draw = np.random.default_rng(seed)
    n_groups = int(group_N.max()) + 1
    block = max(LEAST_RESAMPLES, BLOCK_COUNTS // len(group_N))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn_RG = draw.integers(0, n_groups, (rows, n_groups)) + n_groups * np.arange(rows)[:, None]
        counts_RG = np.bincount(drawn_RG.ravel(), minlength=rows * n_groups).reshape(rows, n_groups)
        yield np.take(counts_RG.astype(np.int32), group_N, axis=1)


def resampled_scores(truth_NC: BoolArray, scores_NC: Array, top_N: IntArray, counts_RN: Counts) -> Resampled:
    """Scores of the sets that hold clip n ``counts_RN[r, n]`` times.

    Args:
        truth_NC: targets.
        scores_NC: scores.
        top_N: top-scored label of each clip.
        counts_RN: how often each clip is in each set.
    """
    n_classes = truth_NC.shape[1]
    shape = (len(counts_RN), n_classes)
    ap_RC, auc_RC, recall_RC = np.empty(shape), np.empty(shape), np.empty(shape)
    for c in range(n_classes):
        ap_RC[:, c], auc_RC[:, c] = _rank_resampled(scores_NC[:, c], truth_NC[:, c], counts_RN)
        hit_N = truth_NC[:, c] & (top_N == c)
        recall_RC[:, c] = _ratio(counts_RN[:, hit_N].sum(axis=1), counts_RN[:, truth_NC[:, c]].sum(axis=1))
    hit_N, labelled_N = truth_NC[np.arange(len(top_N)), top_N], truth_NC.any(axis=1)
    averaged_RC = ~np.isnan(auc_RC)
    return Resampled(
        map_R=_masked_mean(ap_RC, averaged_RC),
        auc_R=_masked_mean(auc_RC, averaged_RC),
        accuracy_R=_ratio(counts_RN[:, hit_N].sum(axis=1), counts_RN[:, labelled_N].sum(axis=1)),
        ap_RC=ap_RC,
        auc_RC=auc_RC,
        recall_RC=recall_RC,
    )


def _rank_resampled(scores_N: Array, truth_N: BoolArray, counts_RN: Counts) -> tuple[FloatArray, FloatArray]:
    """AP (R,) and AUC (R,) of one class; P positives, from the highest score down."""
    order_N = np.argsort(-scores_N)
    descending_N = -scores_N[order_N]
    place_P = np.flatnonzero(truth_N[order_N])
    if not len(place_P):
        nothing = np.full(len(counts_RN), np.nan)
        return nothing, nothing
    counts_RN = np.take(counts_RN, order_N, axis=1)
    counts_RP = counts_RN[:, place_P]
    positives_P = descending_N[place_P]
    all_above, all_reached = _above_and_reached(counts_RN, descending_N, positives_P)
    true_above, true_reached = _above_and_reached(counts_RP, positives_P, positives_P)
    total_R, true_R = counts_RN.sum(axis=1), counts_RP.sum(axis=1)
    ap_R = _ratio((counts_RP * _ratio(true_reached, all_reached, 0.0)).sum(axis=1), true_R)
    lost_twice = (all_above - true_above) + (all_reached - true_reached)
    pairs_R = true_R * (total_R - true_R)
    won_twice_R = 2 * pairs_R - (counts_RP * lost_twice.astype(np.int64)).sum(axis=1)
    return ap_R, _ratio(won_twice_R, 2 * pairs_R)


def _above_and_reached(counts_RN: Counts, descending_N: Array, at_P: Array) -> tuple[Counts, Counts]:
    """Clips above each of the scores ``at_P``, and clips at or above it, (R, P) each, by their counts."""
    sums_RN = np.zeros((len(counts_RN), counts_RN.shape[1] + 1), np.int32)
    np.cumsum(counts_RN, axis=1, out=sums_RN[:, 1:], dtype=np.int32)
    above = np.searchsorted(descending_N, at_P, "left")
    reached = np.searchsorted(descending_N, at_P, "right")
    return sums_RN[:, above], sums_RN[:, reached]


def _ratio(part: Array, whole: Array, otherwise: float = np.nan) -> FloatArray:
    quotient: FloatArray = np.full(np.shape(whole), otherwise)
    np.divide(part, whole, out=quotient, where=whole > 0)
    return quotient


def _masked_mean(values_RC: FloatArray, kept_RC: BoolArray) -> FloatArray:
    return _ratio(np.where(kept_RC, values_RC, 0.0).sum(axis=1), kept_RC.sum(axis=1))


def _ends(confidence: float) -> tuple[float, float]:
    if not 0.0 < confidence < 1.0:
        raise UserError(f"confidence must lie between 0 and 1 (got {confidence})")
    return (1 - confidence) / 2, (1 + confidence) / 2


def _percentiles(values_RC: FloatArray, ends: tuple[float, float]) -> FloatArray:
    """(C, 2): the quantiles ``ends`` of each column's numbers, linear between ranks; NaN where there are none."""
    ordered_RC = np.sort(values_RC, axis=0)  # NaN come last
    last_C = np.count_nonzero(~np.isnan(values_RC), axis=0) - 1
    columns = np.arange(values_RC.shape[1])
    found = np.empty((len(columns), 2))
    for side, end in enumerate(ends):
        rank_C = np.maximum(last_C, 0) * end
        low_C = np.floor(rank_C).astype(np.int64)
        high_C = np.minimum(low_C + 1, np.maximum(last_C, 0))
        low, high = ordered_RC[low_C, columns], ordered_RC[high_C, columns]
        found[:, side] = low + (high - low) * (rank_C - low_C)
    return found


def _group_numbers(groups: Sequence[Any] | None, n_clips: int) -> IntArray:
    if groups is None:
        return np.arange(n_clips)
    if len(groups) != n_clips:
        raise UserError(f"{len(groups)} groups for {n_clips} clips: give one a clip")
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], np.int64)
