"""From which score on a label counts as heard: a threshold per class, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from earmark.metrics.arrays import BoolArray, FloatArray, as_pair, as_truth

LEAST_POSITIVES = 10
"""A class with fewer positives takes the threshold of all classes together: one clip more or less would move its own.
"""

Rule = Literal["f1", "precision"]
Reason = Literal["f1", "precision", "unreached", "pooled", "default"]


@dataclass(frozen=True)
class Threshold:
    """A class counts as heard from this calibrated score on."""

    value: float
    reason: Reason
    """``f1``: best F1; ``precision``: the lowest that reaches the wanted precision; ``unreached``: none reaches it, so
    the one of the best precision; ``pooled``: too few positives, so that of all classes together; ``default``: there
    was nothing to choose by."""
    positives: int
    """Clips of the class that it was chosen on."""
    precision: float | None
    """Of the clips at or above the value, the share that has the class (where it was chosen); None if there is none."""
    recall: float | None
    """Of the clips that have the class, the share at or above the value; None if there is none."""
    wanted: float | None = None
    """The precision that was asked for, where one was."""

    def sentence(self) -> str:
        """The reason, for people."""
        how = "best F1" if self.wanted is None else f"precision {self.wanted:g}"
        return {
            "f1": "best F1 on validation",
            "precision": f"lowest with a precision of {self.wanted or 0:g} on validation",
            "unreached": f"no threshold reaches a precision of {self.wanted or 0:g}: the one of the best precision",
            "pooled": f"fewer than {LEAST_POSITIVES} positives: {how} of all labels together",
            "default": "no validation clip has any label: an even chance",
        }[self.reason]


def choose_thresholds(
    targets_NC: npt.ArrayLike, scores_NC: npt.ArrayLike, rule: Rule = "f1", precision: float = 0.9
) -> tuple[Threshold, ...]:
    """A threshold for each class.

    It lies half-way between the lowest score that counts as heard and the next one below, so that a score that is only
    a little lower on other clips still counts. Of thresholds with the same F1 the highest is taken.

    Args:
        targets_NC: 0 or 1.
        scores_NC: calibrated scores, 0 to 1.
        rule: ``f1``, the best harmonic mean of precision and recall, or ``precision``.
        precision: what is wanted with the rule ``precision``: the lowest threshold that reaches it, that is, as many of
            the class's clips as can be had at that precision.
    """
    targets, scores = as_pair(targets_NC, scores_NC)
    truth_NC, scores_NC = as_truth(targets), scores.astype(np.float64)
    wanted = precision if rule == "precision" else None
    pooled, _ = _choose(truth_NC.ravel(), scores_NC.ravel(), wanted)
    found = []
    for truth_N, scores_N in zip(truth_NC.T, scores_NC.T, strict=True):
        positives = int(truth_N.sum())
        if pooled is None:
            found.append(Threshold(0.5, "default", 0, None, None, wanted))
            continue
        value, reason = _choose(truth_N, scores_N, wanted)
        if value is None or positives < LEAST_POSITIVES:
            value, reason = pooled, "pooled"
        found.append(Threshold(value, reason, positives, *_precision_and_recall(truth_N, scores_N >= value), wanted))
    return tuple(found)


def at_thresholds(
    targets_NC: npt.ArrayLike, scores_NC: npt.ArrayLike, thresholds_C: FloatArray
) -> list[dict[str, float | None]]:
    """``positives``, ``precision`` and ``recall`` of each class at given thresholds; None where not defined."""
    targets, scores = as_pair(targets_NC, scores_NC)
    truth_NC = as_truth(targets)
    found: list[dict[str, float | None]] = []
    for truth_N, heard_N in zip(truth_NC.T, (scores >= thresholds_C).T, strict=True):
        precision, recall = _precision_and_recall(truth_N, heard_N)
        found.append({"positives": int(truth_N.sum()), "precision": precision, "recall": recall})
    return found


def _precision_and_recall(truth_N: BoolArray, heard_N: BoolArray) -> tuple[float | None, float | None]:
    hits, heard, positives = (int(each.sum()) for each in (heard_N & truth_N, heard_N, truth_N))
    return hits / heard if heard else None, hits / positives if positives else None


def _choose(truth_N: BoolArray, scores_N: FloatArray, wanted: float | None) -> tuple[float | None, Reason]:
    """The threshold of one class; None if no clip has it."""
    positives = int(truth_N.sum())
    if not positives:
        return None, "default"
    order = np.argsort(-scores_N, kind="stable")
    ordered = scores_N[order]
    # Ends of runs of equal scores: a threshold cannot part them.
    last = np.flatnonzero(np.append(ordered[1:] < ordered[:-1], True))
    hits, heard = np.cumsum(truth_N[order])[last], last + 1
    reason: Reason = "f1"
    if wanted is None:
        best = int(np.argmax(2 * hits / (heard + positives)))
    else:
        precisions = hits / heard
        reached = np.flatnonzero(precisions >= wanted)
        reason = "precision" if len(reached) else "unreached"
        best = int(reached[-1] if len(reached) else np.flatnonzero(precisions == precisions.max())[-1])
    at = float(ordered[last[best]])
    below = float(ordered[last[best] + 1]) if last[best] + 1 < len(ordered) else 0.0
    middle = (at + below) / 2
    return (middle if below < middle else at), reason
