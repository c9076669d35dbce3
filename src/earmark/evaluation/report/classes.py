"""Scores per label: bars of the champion with intervals, the other networks as dots."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from earmark.evaluation.report import numbers, svg
from earmark.evaluation.report.axes import columns, x_axis
from earmark.evaluation.report.data import ClassScore, Estimate, Network

WIDTH = 440
LEFT, RIGHT = 128, 366
ROW = 24
EACH_END = 20

NAMES = {"ap": "average precision", "recall": "recall", "auc": "AUC"}


def bars(networks: Sequence[Network], metric: str) -> Markup | None:
    """Labels from best to worst by the champion's metric; of many labels the best and the worst twenty."""
    ranked = by_score(networks[0].classes, metric)
    if not ranked:
        return None
    parts: list[Markup] = []
    shown = ends(ranked)
    others = [(i, {c.label: c for c in n.classes}) for i, n in enumerate(networks) if i > 0]
    low = 0.4 if metric == "auc" and all((_of(c, metric).value or 0) > 0.4 for c in ranked) else 0.0
    x = svg.linear(low, 1, LEFT, RIGHT)
    gap = ROW if len(shown) < len(ranked) else 0
    bottom = 22 + ROW * len(shown) + gap
    places = [0.4, 0.6, 0.8, 1] if low else [0, 0.25, 0.5, 0.75, 1]
    parts += columns(places, x, 18, bottom)
    parts.append(svg.text(WIDTH, 11, "value · clips", "caption", "end"))
    for i, score in enumerate(shown):
        y = 20 + ROW * (i + 0.5) + (gap if i >= EACH_END else 0)
        parts += _row(score, metric, x, y)
        for place, scores in others:
            other = _of(scores[score.label], metric).value if score.label in scores else None
            if other is not None:
                told = f"{networks[place].title}, {score.label}: {numbers.metric(metric, other)}"
                parts.append(svg.dot(x(max(other, low)), y, 3, f"dot other {svg.hue(place)}", told))
    if gap:
        y = 20 + ROW * (EACH_END + 0.5)
        parts.append(svg.text(LEFT, y + 4, f"… {len(ranked) - len(shown)} labels between …", "caption"))
    parts += x_axis(places, x, bottom, lambda v: numbers.percent(v) if metric == "recall" else f"{v:g}")
    told = f"{networks[0].title}'s {NAMES[metric]} by label, from {ranked[0].label} to {ranked[-1].label}"
    return svg.chart(WIDTH, bottom + 22, told, parts)


def by_score(classes: Sequence[ClassScore], metric: str) -> list[ClassScore]:
    """Labels whose metric is defined, the best first."""
    known = [c for c in classes if _of(c, metric).value is not None]
    return sorted(known, key=lambda c: (-(_of(c, metric).value or 0.0), c.label))


def ends(ranked: Sequence[ClassScore]) -> list[ClassScore]:
    """All labels where they are few, else the first and the last twenty."""
    return list(ranked) if len(ranked) <= 2 * EACH_END else [*ranked[:EACH_END], *ranked[-EACH_END:]]


def _row(score: ClassScore, metric: str, x: svg.Scale, y: float) -> list[Markup]:
    estimate = _of(score, metric)
    value = estimate.value or 0.0
    span = numbers.interval(metric, estimate)
    told = f"{score.label}: {numbers.metric(metric, value)}{f' ({span})' if span else ''}, {score.positives} clips"
    parts = [
        svg.text(LEFT - 8, y + 4, numbers.shorten(score.label, 18), "name", "end"),
        svg.rect(LEFT, y - 7, x(value) - LEFT, 14, "bar", told),
        svg.line(x(value), y - 7, x(value), y + 7, "tip"),
        svg.text(RIGHT + 34, y + 4, numbers.metric(metric, value).replace("1.000", "1.00"), "value", "end"),
        svg.text(WIDTH, y + 4, numbers.compact(score.positives), "tick", "end"),
    ]
    if estimate.low is not None and estimate.high is not None:
        low, high = x(max(estimate.low, 0)), x(estimate.high)
        parts.append(svg.line(max(low, LEFT), y, high, y, "whisker"))
    return parts


def _of(score: ClassScore, metric: str) -> Estimate:
    found: Estimate = getattr(score, metric)
    return found
