"""Whether a score of 0.8 is right eight times in ten: reliability bins and the expected calibration error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from earmark.metrics.arrays import BoolArray, FloatArray, as_pair, as_truth

BINS = 10
LOWEST = 1e-7
"""Scores are taken as at least this, and at most 1 minus it, so that logarithms stay finite."""
NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Bin:
    """Scores between two bounds, and how often they were right."""

    count: int
    score: float
    """Mean score."""
    share: float
    """Share of them that were right."""
    low: float
    """Wilson's 95 % interval of that share, had the scores been drawn one by one."""
    high: float


@dataclass(frozen=True)
class Reliability:
    """How far scores can be taken as probabilities."""

    clips: int
    ece: float
    """Expected calibration error: mean distance of score and share over the bins, weighed by their counts (Naeini et
    al. 2015, Guo et al. 2017). NaN without clips."""
    chance: float
    """About the error that perfect probabilities would show on as many clips, by chance alone."""
    log_loss: float
    """Mean negative log-likelihood of the truth (with sigmoids, the mean over the labels)."""
    bins: tuple[Bin, ...]
    """Those of ten equally wide bins that hold a score, the lowest first."""

    def to_json(self) -> dict[str, Any]:
        """As plain values; what is not a number is None."""
        plain = {name: _finite(getattr(self, name)) for name in ("ece", "chance", "log_loss")}
        return {"clips": self.clips, **plain, "bins": [vars(each) for each in self.bins]}


def reliability(targets_NC: npt.ArrayLike, scores_NC: npt.ArrayLike, output: str) -> Reliability:
    """Reliability of clips' scores.

    With ``softmax`` outputs a clip counts once, with the score of its top label, which is right or wrong (Guo et al.
    2017). With ``sigmoid`` outputs each label says yes or no for itself, so each clip counts once a label.

    Args:
        targets_NC: 0 or 1.
        scores_NC: 0 to 1.
        output: ``sigmoid`` or ``softmax``.
    """
    targets, scores = as_pair(targets_NC, scores_NC)
    truth_NC, s_NC = as_truth(targets), scores.astype(np.float64)
    if output == "softmax" and s_NC.size:
        top_N = s_NC.argmax(axis=1)
        rows_N = np.arange(len(s_NC))
        said, right = s_NC[rows_N, top_N], truth_NC[rows_N, top_N]
    else:
        said, right = s_NC.ravel(), truth_NC.ravel()
    losses_N = log_losses(truth_NC, s_NC, output)
    bins, ece, chance = _bins(said, right)
    return Reliability(len(s_NC), ece, chance, float(losses_N.mean()) if len(losses_N) else math.nan, bins)


def log_losses(truth_NC: BoolArray, scores_NC: FloatArray, output: str) -> FloatArray:
    """Negative log-likelihood of each clip's truth (N,): of its labels, or, of sigmoids, the mean over all labels."""
    p_NC = np.clip(scores_NC.astype(np.float64), LOWEST, 1 - LOWEST)
    if output == "softmax":
        losses_N = -(truth_NC * np.log(p_NC)).sum(axis=1) / np.maximum(1, truth_NC.sum(axis=1))
    else:
        losses_N = -np.where(truth_NC, np.log(p_NC), np.log1p(-p_NC)).mean(axis=1)
    return np.asarray(losses_N, np.float64)


def _bins(said: FloatArray, right: BoolArray) -> tuple[tuple[Bin, ...], float, float]:
    """Bins, the calibration error, and what chance would make of it."""
    if not len(said):
        return (), math.nan, math.nan
    place = np.minimum((said * BINS).astype(np.int64), BINS - 1)
    count, hits, total, spread = (
        np.bincount(place, weights, BINS) for weights in (None, right.astype(np.float64), said, said * (1 - said))
    )
    gaps = np.abs(hits - total).sum()
    # E|X - mean| of a sum of Bernoullis: nearly the normal's, and never above twice what is rarer.
    alone = np.minimum(np.sqrt(2 / np.pi * spread), 2 * np.minimum(total, count - total)).sum()
    found = tuple(
        Bin(int(count[b]), float(total[b] / count[b]), float(hits[b] / count[b]), *_wilson(hits[b], count[b]))
        for b in np.flatnonzero(count)
    )
    return found, float(gaps / len(said)), float(alone / len(said))


def _wilson(hits: float, count: float) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927)."""
    share, z2 = hits / count, NORMAL_95**2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    reach = NORMAL_95 / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    # At shares of 0 and 1 an end is the share itself, but for rounding.
    return float(max(0.0, min(share, centre - reach))), float(min(1.0, max(share, centre + reach)))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
