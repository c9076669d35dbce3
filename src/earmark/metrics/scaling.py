"""Maximum likelihood of a temperature, and of Platt's slope and offset."""

from __future__ import annotations

import math

import numpy as np

from earmark.metrics.arrays import Array, BoolArray, FloatArray
from earmark.metrics.reliability import LOWEST

ENOUGH = 20
"""Positives, and negatives, of a class that Platt's two numbers ask for: ten for each."""
STEEPEST = 20.0
"""A temperature lies between 1 / this and this."""


def fit_temperature(truth_NC: BoolArray, scores_NC: Array, output: str) -> float:
    """1 / temperature, the factor of all log scores (softmax: clips of one label) or log-odds (sigmoid).

    Targets are Platt's, a little off 0 and 1 as the rule of succession has it: scores that are right on all of a few
    clips do not become certainties.
    """
    from scipy.optimize import minimize_scalar

    p_NC = np.clip(scores_NC.astype(np.float64), LOWEST, 1 - LOWEST)
    if output == "softmax":
        doubt = 1 / (len(p_NC) + 2)
        target_NC = np.where(truth_NC, 1 - doubt, doubt / max(1, p_NC.shape[1] - 1))
        z_NC = np.log(p_NC)

        def loss(log_slope: float) -> float:
            scaled_NC = math.exp(log_slope) * z_NC
            top_N = scaled_NC.max(axis=1)
            sum_N = top_N + np.log(np.exp(scaled_NC - top_N[:, None]).sum(axis=1))
            return float((sum_N - (target_NC * scaled_NC).sum(axis=1)).mean())
    else:
        target_NC = _platt_targets(truth_NC)
        z_NC = np.log(p_NC) - np.log1p(-p_NC)

        def loss(log_slope: float) -> float:
            scaled_NC = math.exp(log_slope) * z_NC
            return float((np.logaddexp(0.0, scaled_NC) - target_NC * scaled_NC).mean())

    reach = math.log(STEEPEST)
    return math.exp(float(minimize_scalar(loss, bounds=(-reach, reach), method="bounded", options={"xatol": 1e-6}).x))


def fit_platt(truth_NC: BoolArray, scores_NC: Array, slope_C: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slope and offset of the log-odds of each class with enough positives and negatives; ``slope_C`` for the others.

    Slopes stay above 0, so that the order of a class's clips stays.
    """
    from scipy.optimize import minimize

    slope_C, offset_C = slope_C.copy(), np.zeros(len(slope_C))
    for c, (truth_N, scores_N) in enumerate(zip(truth_NC.T, scores_NC.T, strict=True)):
        positives = int(truth_N.sum())
        if min(positives, len(truth_N) - positives) < ENOUGH:
            continue
        p_N = np.clip(scores_N.astype(np.float64), LOWEST, 1 - LOWEST)
        found = minimize(
            _platt_loss,
            np.array([slope_C[c], 0.0]),
            args=(np.log(p_N) - np.log1p(-p_N), _platt_targets(truth_N)),
            jac=True,
            method="L-BFGS-B",
            bounds=[(1 / STEEPEST, STEEPEST), (None, None)],
            options={"gtol": 1e-7, "ftol": 1e-13},
        )
        slope_C[c], offset_C[c] = found.x
    return slope_C, offset_C


def _platt_loss(x: FloatArray, z_N: FloatArray, target_N: FloatArray) -> tuple[float, FloatArray]:
    """Cross-entropy at a slope and an offset, and its gradient."""
    y_N = x[0] * z_N + x[1]
    slack_N = 0.5 * (1 + np.tanh(y_N / 2)) - target_N
    value = float((np.logaddexp(0.0, y_N) - target_N * y_N).mean())
    return value, np.array([(slack_N * z_N).mean(), slack_N.mean()])


def _platt_targets(truth: BoolArray) -> FloatArray:
    """(n₊ + 1) / (n₊ + 2) for the positives and 1 / (n₋ + 2) for the negatives (Platt 1999)."""
    positives = int(truth.sum())
    negatives = truth.size - positives
    return np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
