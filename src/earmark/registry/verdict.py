"""Whether a challenger is better than the champion, from their scores of the same clips. Arrays in, values out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.config import GateConfig
from earmark.metrics import interval, resample, score

FIRST, PROMOTED, REFUSED, UNDECIDED, UNCHANGED = "first", "promoted", "refused", "undecided", "unchanged"
MOST_TIMES = 100
"""Beyond so many times the clips there are, nobody waits for more: the two are alike."""

Span = dict[str, float | None]
"""``value``, ``low``, ``high``; None where it is not defined."""


@dataclass(frozen=True)
class Verdict:
    """What the gate decides, and the figures behind it."""

    outcome: str
    """first, promoted, refused, undecided or unchanged."""
    why: str
    """In a sentence."""
    clips: int = 0
    needed: int | None = None
    """About how many more clips would decide, where it is undecided and more could."""
    scores: Mapping[str, Mapping[str, Span]] = field(default_factory=dict)
    """``map`` and ``auc``, each of ``challenger``, ``champion`` and their ``difference``."""
    classes: Sequence[Mapping[str, Any]] = ()
    """A row a common label: label, positives, protected, and the spans of its average precision."""


def judge(
    targets_NC: NDArray[np.float32],
    challenger_NC: NDArray[np.float32],
    champion_NC: NDArray[np.float32],
    groups: Sequence[str],
    labels: Sequence[str],
    gate: GateConfig,
    resamples: int,
    seed: int,
) -> Verdict:
    """Compare two models clip by clip: both get the same resampled groups, so what is hard for both cancels out.

    Args:
        targets_NC: 0 or 1, of the labels that both know.
        challenger_NC: scores.
        champion_NC: scores of the same clips.
        groups: what each clip was cut from; the bootstrap draws them whole.
        labels: names.
        gate: what is asked of the challenger.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    if not len(targets_NC):
        return Verdict(UNDECIDED, "there is no test clip that neither learned from: add test clips of new groups")
    both = (challenger_NC, champion_NC)
    points = [score(targets_NC, scores_NC) for scores_NC in both]
    drawn = [resample(targets_NC, s_NC, groups=groups, resamples=resamples, seed=seed) for s_NC in both]
    scores = {
        name: _three([getattr(p, name) for p in points], [getattr(d, f"{name}_R") for d in drawn], gate.confidence)
        for name in ("map", "auc")
    }
    classes = [
        {
            "label": label,
            "positives": int(points[0].positives_C[c]),
            "protected": label in gate.protected,
            **_three([p.ap_C[c] for p in points], [d.ap_RC[:, c] for d in drawn], gate.confidence),
        }
        for c, label in enumerate(labels)
    ]
    outcome, why, needed = _decide(scores["map"], classes, len(targets_NC), gate)
    return Verdict(outcome, why, len(targets_NC), needed, scores, classes)


def _decide(
    scores: Mapping[str, Span], classes: Sequence[Mapping[str, Any]], clips: int, gate: GateConfig
) -> tuple[str, str, int | None]:
    difference, low, high = (scores["difference"][end] for end in ("value", "low", "high"))
    if difference is None or low is None or high is None:
        return UNDECIDED, f"none of the labels has clips with and without it among the {clips} that were scored", None
    span = f"{difference:+.3f} ({gate.confidence:.0%} interval {low:+.3f} to {high:+.3f})"
    told = f"mAP {scores['challenger']['value']:.3f} against {scores['champion']['value']:.3f} on {clips} clips: {span}"
    lost = [row for row in classes if loses(row, gate)]
    if lost:
        named = ", ".join(
            f"{row['label']} {row['difference']['value']:+.3f} on {row['positives']} clips" for row in lost
        )
        return REFUSED, f"a protected label got worse: {named}; {told}", None
    if high < gate.margin:
        return REFUSED, f"not better by {gate.margin:g}: {told}" if gate.margin else f"worse: {told}", None
    if difference >= gate.margin and low >= -gate.tolerance:
        return PROMOTED, told, None
    needed = _more_clips(difference, low, high, clips, gate)
    more = f"about {needed:,} more clips would tell" if needed else "the two are too alike for more clips to tell"
    return UNDECIDED, f"{told}; {more}", needed


def losses(verdict: Verdict) -> list[dict[str, Any]]:
    """Labels that got worse, the largest loss first: label, positives, and the span of the difference."""
    worse = [row for row in verdict.classes if (row["difference"]["value"] or 0.0) < 0]
    told = [{"label": row["label"], "positives": row["positives"], **row["difference"]} for row in worse]
    return sorted(told, key=lambda row: (row["value"], row["label"]))


def loses(row: Mapping[str, Any], gate: GateConfig) -> bool:
    """Whether a protected label with enough clips got worse by more than the tolerance."""
    difference = row["difference"]["value"]
    enough = row["protected"] and row["positives"] >= gate.min_positives
    return bool(enough and difference is not None and difference < -gate.tolerance)


def _more_clips(difference: float, low: float, high: float, clips: int, gate: GateConfig) -> int | None:
    """An interval narrows as the square root of the clips: how many more until it clears its bound."""
    if difference >= gate.margin:
        width, room = difference - low, difference + gate.tolerance
    else:
        width, room = high - difference, gate.margin - difference
    times = (width / room) ** 2 if room > 0 else math.inf
    return max(1, math.ceil(clips * (times - 1))) if times <= MOST_TIMES else None


def _three(values: Sequence[float], drawn_R: Sequence[NDArray[np.float64]], confidence: float) -> dict[str, Span]:
    """Spans of the challenger's, the champion's and their difference."""
    rows = (*zip(values, drawn_R, strict=True), (values[0] - values[1], drawn_R[0] - drawn_R[1]))
    names = ("challenger", "champion", "difference")
    return {name: _span(value, drawn, confidence) for name, (value, drawn) in zip(names, rows, strict=True)}


def _span(value: float, drawn_R: NDArray[np.float64], confidence: float) -> Span:
    ends = (float(value), *interval(drawn_R, confidence))
    return {name: end if math.isfinite(end) else None for name, end in zip(("value", "low", "high"), ends, strict=True)}
