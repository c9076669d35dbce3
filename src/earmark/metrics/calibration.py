"""Scores made probabilities: temperature or Platt scaling, fitted on validation clips, only where it helps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from earmark.errors import EarmarkError
from earmark.metrics.arrays import Array, BoolArray, FloatArray, IntArray, as_pair, as_truth
from earmark.metrics.reliability import LOWEST, log_losses
from earmark.metrics.scaling import fit_platt, fit_temperature
from earmark.metrics.thresholds import Rule, Threshold, choose_thresholds

FOLDS = 5
LEAST_GROUPS = 10
"""With fewer groups of clips nothing is fitted: two in a fold say nothing."""

Method = Literal["none", "temperature", "platt"]


@dataclass(frozen=True)
class Calibration:
    """What turns a network's clip scores into probabilities, and from which one on a label counts as heard."""

    output: str
    """``sigmoid`` or ``softmax``, what made the scores."""
    method: Method
    slopes: tuple[float, ...]
    """Of each class, what its log score (softmax) or log-odds (sigmoid) is multiplied by: 1 / temperature."""
    offsets: tuple[float, ...]
    """Of each class, what is then added; 0 but with ``platt``."""
    thresholds: tuple[Threshold, ...]
    """Of each class, in calibrated scores."""
    clips: int = 0
    """Validation clips that it was fitted on."""
    log_losses: Mapping[str, float] = field(default_factory=dict)
    """Cross-validated log loss of each method that was tried: why this one was chosen."""

    @property
    def thresholds_C(self) -> FloatArray:  # noqa: N802  (a shape)
        """A class counts as heard where its calibrated score is at or above."""
        return np.array([each.value for each in self.thresholds], np.float64)

    def apply(self, scores_NC: npt.ArrayLike) -> Array:
        """Calibrated scores (..., C) of clip scores (..., C), in their own precision.

        What is kept: the order of a label's clips with sigmoids (AP and AUC stay), the order of a clip's labels with
        a softmax or one temperature (accuracy stays).
        """
        scores = np.asarray(scores_NC)
        scores = scores if scores.dtype.kind == "f" else scores.astype(np.float64)
        if self.method == "none":
            return scores
        scaled = rescale(scores, np.array(self.slopes), np.array(self.offsets), self.output)
        return scaled.astype(scores.dtype)

    def to_json(self) -> dict[str, Any]:
        """As plain values, for ``calibration.json``."""
        rows = [{**asdict(each), "because": each.sentence()} for each in self.thresholds]
        return {
            "schema_version": 1,
            "output": self.output,
            "method": self.method,
            "slopes": list(self.slopes),
            "offsets": list(self.offsets),
            "thresholds": rows,
            "clips": self.clips,
            "log_losses": dict(self.log_losses),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Calibration:
        """What :meth:`to_json` gave.

        Raises:
            EarmarkError: another schema.
        """
        if document["schema_version"] != 1:
            raise EarmarkError(
                f"a calibration of schema {document['schema_version']} where this version reads 1: "
                "evaluate the network again with this version"
            )
        rows = [{name: value for name, value in row.items() if name != "because"} for row in document["thresholds"]]
        return cls(
            output=document["output"],
            method=document["method"],
            slopes=tuple(document["slopes"]),
            offsets=tuple(document["offsets"]),
            thresholds=tuple(Threshold(**row) for row in rows),
            clips=document["clips"],
            log_losses=dict(document["log_losses"]),
        )


class Calibrated(NamedTuple):
    """What :func:`calibrate` returns."""

    calibration: Calibration
    crossfitted_NC: Array
    """The clips' calibrated scores, each from a fit that did not see its group: what the calibration is worth here."""


def calibrate(
    targets_NC: npt.ArrayLike,
    scores_NC: npt.ArrayLike,
    output: str,
    *,
    groups: Sequence[Any] | None = None,
    method: Literal["auto", "none", "temperature", "platt"] = "auto",
    rule: Rule = "f1",
    precision: float = 0.9,
) -> Calibrated:
    """Fit a calibration to clips that the network was not trained on.

        calibration, _ = calibrate(targets, scores, "sigmoid")  # both (clips, labels)
        calibration.apply(new_scores) >= calibration.thresholds_C

    ``temperature`` (Guo et al. 2017, "On Calibration of Modern Neural Networks") divides all log scores, or log-odds,
    by one number. ``platt`` (Platt 1999, "Probabilistic Outputs for Support Vector Machines") fits slope and offset of
    the log-odds of each class that has enough positives and negatives, and the temperature for the others; it is for
    sigmoids, and with a softmax it is ``temperature``. ``auto`` takes the simplest of none, temperature and Platt that
    is not beaten: another must lower the cross-validated log loss by more than one standard error of the difference
    (five folds, groups whole).

    Args:
        targets_NC: 0 or 1.
        scores_NC: the network's clip scores, 0 to 1.
        output: ``sigmoid`` or ``softmax``.
        groups: what each clip was cut from; None takes each for itself.
        method: ``auto``, or which.
        rule: how thresholds are chosen, see :func:`choose_thresholds`.
        precision: wanted, with the rule ``precision``.
    """
    targets, scores = as_pair(targets_NC, scores_NC)
    truth_NC = as_truth(targets)
    keys = list(range(len(scores))) if groups is None else list(groups)
    # A softmax says which one label it is: clips with none or several have no say.
    fit_N = truth_NC.sum(axis=1) == 1 if output == "softmax" else np.ones(len(scores), bool)
    fold_N, group_N = _deal(truth_NC, keys)
    found: Method = "none"
    crossfitted = {"none": scores}
    losses: dict[str, float] = {}
    if len(np.unique(group_N[fit_N])) >= LEAST_GROUPS:
        losses_N = {"none": log_losses(truth_NC, scores, output)}
        for other in _candidates(output, method):
            crossfitted[other] = _crossfit(truth_NC, scores, output, other, fold_N, fit_N)
            losses_N[other] = log_losses(truth_NC, crossfitted[other], output)
            gain, error = _gain((losses_N[found] - losses_N[other])[fit_N], group_N[fit_N])
            if method != "auto" or gain > error:
                found = other
        losses = {name: float(values[fit_N].mean()) for name, values in losses_N.items()}
    slope_C, offset_C = _fit(truth_NC[fit_N], scores[fit_N], output, found)
    fitted = Calibration(output, found, _floats(slope_C), _floats(offset_C), (), int(fit_N.sum()), losses)
    thresholds = choose_thresholds(truth_NC, fitted.apply(scores), rule, precision)
    return Calibrated(replace(fitted, thresholds=thresholds), crossfitted[found])


def rescale(scores_NC: Array, slope_C: FloatArray, offset_C: FloatArray, output: str) -> FloatArray:
    """Scores with their log-odds (sigmoid) or logarithms (softmax, then brought to a sum of 1) scaled and moved."""
    p_NC = np.clip(scores_NC.astype(np.float64), LOWEST, 1 - LOWEST)
    if output == "softmax":
        z_NC = slope_C * np.log(p_NC)
        e_NC = np.exp(z_NC - z_NC.max(axis=-1, keepdims=True))
        return np.asarray(e_NC / e_NC.sum(axis=-1, keepdims=True), np.float64)
    z_NC = slope_C * (np.log(p_NC) - np.log1p(-p_NC)) + offset_C
    return np.asarray(0.5 * (1 + np.tanh(z_NC / 2)), np.float64)


def _candidates(output: str, method: str) -> list[Method]:
    """Methods to try after none, the simplest first."""
    wanted: dict[str, list[Method]] = {"none": [], "temperature": ["temperature"]}
    if method in wanted:
        return wanted[method]
    if output == "softmax":
        return ["temperature"]
    return ["platt"] if method == "platt" else ["temperature", "platt"]


def _fit(truth_NC: BoolArray, scores_NC: Array, output: str, method: Method) -> tuple[FloatArray, FloatArray]:
    """Slope and offset of each class."""
    n_classes = scores_NC.shape[1]
    if method == "none":
        return np.ones(n_classes), np.zeros(n_classes)
    slope_C = np.full(n_classes, fit_temperature(truth_NC, scores_NC, output))
    return fit_platt(truth_NC, scores_NC, slope_C) if method == "platt" else (slope_C, np.zeros(n_classes))


def _crossfit(
    truth_NC: BoolArray, scores_NC: Array, output: str, method: Method, fold_N: IntArray, fit_N: BoolArray
) -> Array:
    """Each fold's clips, calibrated by what the other folds say."""
    out_NC = np.empty_like(scores_NC)
    for fold in np.unique(fold_N):
        held_N = fold_N == fold
        slope_C, offset_C = _fit(truth_NC[fit_N & ~held_N], scores_NC[fit_N & ~held_N], output, method)
        out_NC[held_N] = rescale(scores_NC[held_N], slope_C, offset_C, output)
    return out_NC


def _deal(truth_NC: BoolArray, keys: Sequence[Any]) -> tuple[IntArray, IntArray]:
    """Fold and number of each clip's group: the groups of a label are dealt to the folds in turn."""
    label_N = truth_NC.argmax(axis=1) if truth_NC.size else np.zeros(len(keys), np.int64)
    first: dict[Any, int] = {}
    for key, label in zip(keys, label_N.tolist(), strict=True):
        first[key] = min(first.get(key, label), label)
    order = {key: place for place, key in enumerate(sorted(first, key=lambda key: (first[key], str(key))))}
    group_N = np.array([order[key] for key in keys], np.int64)
    return group_N % FOLDS, group_N


def _gain(gain_N: FloatArray, group_N: IntArray) -> tuple[float, float]:
    """Mean of the clips' gains and its standard error, whose unit is the group."""
    mean = float(gain_N.mean())
    by_group = np.bincount(group_N, gain_N - mean)
    return mean, float(np.sqrt((by_group**2).sum()) / len(gain_N))


def _floats(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
