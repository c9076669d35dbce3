"""Scores of several models of one network, pooled: the mean single model, and all of them averaged (arrays only).

A *pass* is a set of models that scores every test clip once: the folds' models of one seed, or one model where the test
set is given. Letters: P passes, N test clips, C labels, R resamples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.config import EvaluateConfig
from earmark.metrics import Interval, d_prime, interval, one_best_accuracy, resample, score

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A score and its interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


Summary = dict[str, Estimate]
"""By auc, d_prime, map, accuracy."""


@dataclass(frozen=True)
class Pooled:
    """One network over all test clips.

    Attributes:
        single: a single model's score: the mean over the passes, each pooled over all test clips.
        ensemble: every clip's scores averaged over the passes first; None where there is one pass.
        gain: ensemble minus single for auc, map and accuracy, its interval from the same resampled clips for both.
        scores_NC: each clip's scores, averaged over the passes.
    """

    single: Summary
    ensemble: Summary | None
    gain: Summary | None
    scores_NC: NDArray[np.float32]


def pool(
    targets_NC: NDArray[np.float32],
    scores_PNC: NDArray[np.float32],
    groups: Sequence[str],
    single_label: bool,
    config: EvaluateConfig,
    seed: int,
    averaged_PNC: NDArray[np.float32] | None = None,
) -> Pooled:
    """What a network's models are worth over all test clips together.

    Args:
        targets_NC: 0 or 1.
        scores_PNC: each pass's scores.
        groups: what each clip was cut from; the bootstrap draws groups whole.
        single_label: whether clips have one label each; without, there is no accuracy.
        config: resamples and confidence.
        seed: of the bootstrap.
        averaged_PNC: the passes that the ensemble averages, where they are not the same.
    """
    passes = [_drawn(targets_NC, scores_NC, groups, single_label, config, seed) for scores_NC in scores_PNC]
    single = {name: _mean([each[name] for each in passes]) for name in passes[0]}
    # In float64, so that equal passes average to themselves.
    together_PNC = scores_PNC if averaged_PNC is None else averaged_PNC
    mean_NC = together_PNC.mean(axis=0, dtype=np.float64).astype(np.float32)
    summary = _summary(single, config.confidence)
    if len(scores_PNC) == 1:
        return Pooled(summary, None, None, mean_NC)
    together = _drawn(targets_NC, mean_NC, groups, single_label, config, seed)
    gain = {
        name: _estimate(together[name][0] - single[name][0], together[name][1] - single[name][1], config.confidence)
        for name in single
    }
    return Pooled(summary, _summary(together, config.confidence), gain, mean_NC)


_Drawn = tuple[float, Floats]
"""A score and its values on the resampled sets, (R,)."""


def _drawn(
    targets_NC: NDArray[np.float32],
    scores_NC: NDArray[np.float32],
    groups: Sequence[str],
    single_label: bool,
    config: EvaluateConfig,
    seed: int,
) -> dict[str, _Drawn]:
    """AUC, mAP and accuracy of one set of scores, with the same resampled clips for the same groups and seed."""
    found = score(targets_NC, scores_NC)
    drawn = resample(targets_NC, scores_NC, groups=groups, resamples=config.bootstrap_resamples, seed=seed)
    both: dict[str, _Drawn] = {"auc": (found.auc, drawn.auc_R), "map": (found.map, drawn.map_R)}
    if single_label:
        both["accuracy"] = (one_best_accuracy(targets_NC, scores_NC), drawn.accuracy_R)
    return both


def _mean(values: Sequence[_Drawn]) -> _Drawn:
    return float(np.mean([value for value, _ in values])), np.mean([drawn_R for _, drawn_R in values], axis=0)


def _estimate(value: float, drawn_R: Floats, confidence: float) -> Estimate:
    return Estimate(value, *interval(drawn_R, confidence))


def _summary(drawn: dict[str, _Drawn], confidence: float) -> Summary:
    found = {name: _estimate(*values, confidence) for name, values in drawn.items()}
    auc = found["auc"]
    # d-prime rises with AUC, so it and its percentiles are taken from there, safe from infinities in a mean.
    ends = Interval(d_prime(auc.low), d_prime(auc.high))
    found["d_prime"] = Estimate(d_prime(auc.value), ends.low, ends.high)
    found.setdefault("accuracy", Estimate(math.nan, math.nan, math.nan))
    return found
