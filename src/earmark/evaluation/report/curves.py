"""Training curves: one line a network, named at its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from earmark.evaluation.report import numbers, svg
from earmark.evaluation.report.axes import x_axis, y_axis
from earmark.evaluation.report.data import Network
from earmark.evaluation.report.ranking import NAMES

WIDTH, HEIGHT = 440, 270
LEFT, RIGHT, TOP, BOTTOM = 38, 312, 12, 226
MOST_NAMED = 14
TITLE, BESIDE = 20, 480
"""Height of a drawing's title, and how far the second one lies to the right."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """One network's line; ``place`` gives its colour."""

    title: str
    place: int
    points: Points
    faint: Points = ()
    """What the line was smoothed from."""


def loss(networks: Sequence[Network]) -> Markup | None:
    """Training loss, each point averaged with those just before it."""
    return _plot(_loss_lines(networks), "Training loss by step", share=False, from_data=True)


def validation(networks: Sequence[Network], metric: str) -> Markup | None:
    """A validation score while training."""
    return _plot(_score_lines(networks, metric), f"Validation {NAMES[metric]} by step", share=metric == "accuracy")


def both(networks: Sequence[Network]) -> Markup | None:
    """Training loss and validation mAP beside each other, as one drawing; None without a loss."""
    losses, scores = _loss_lines(networks), _score_lines(networks, "map")
    if not losses:
        return None
    parts = [svg.text(0, 12, "training loss", "caption"), svg.group(_parts(losses, from_data=True), 0, TITLE)]
    if scores:
        parts += [svg.text(BESIDE, 12, "validation mAP", "caption"), svg.group(_parts(scores), BESIDE, TITLE)]
    told = f"Training loss and validation mAP by step: {', '.join(n.title for n in networks)}"
    return svg.chart(BESIDE + WIDTH if scores else WIDTH, TITLE + HEIGHT, told, parts)


def _loss_lines(networks: Sequence[Network]) -> list[Line]:
    curves = [(i, n.title, _finite(n.train_curve)) for i, n in enumerate(networks)]
    return [Line(title, i, smooth(points), points) for i, title, points in curves if len(points) > 1]


def _score_lines(networks: Sequence[Network], metric: str) -> list[Line]:
    curves = [(i, n.title, _finite(n.validation_curves.get(metric, ()))) for i, n in enumerate(networks)]
    return [Line(title, i, points) for i, title, points in curves if points]


def smooth(points: Points, share: float = 0.05) -> list[tuple[float, float]]:
    """Exponential mean over about this share of the points, without the bias of its start."""
    keep = 1 - 1 / max(1.0, share * len(points))
    smoothed, total, weight = [], 0.0, 0.0
    for step, value in points:
        total, weight = keep * total + value, keep * weight + 1
        smoothed.append((step, total / weight))
    return smoothed


def _plot(lines: Sequence[Line], description: str, *, share: bool, from_data: bool = False) -> Markup | None:
    if not lines:
        return None
    titles = ", ".join(line.title for line in lines)
    return svg.chart(WIDTH, HEIGHT, f"{description}: {titles}", _parts(lines, share=share, from_data=from_data))


def _parts(lines: Sequence[Line], *, share: bool = False, from_data: bool = False) -> list[Markup]:
    values = [v for line in lines for _, v in line.points]
    low, high = (0.0, 1.0) if share else (min(values) if from_data else min(0.0, *values), max(values))
    y_places = svg.ticks(low, high, 4)
    x_places = svg.ticks(0, max(s for line in lines for s, _ in line.points), 3)
    x = svg.linear(0, x_places[-1], LEFT, RIGHT)
    y = svg.linear(y_places[0], y_places[-1], BOTTOM, TOP)
    parts = y_axis(y_places, y, LEFT, RIGHT, lambda v: numbers.percent(v) if share else f"{v:g}")
    parts += x_axis(x_places, x, BOTTOM, numbers.compact, "steps")
    for line in lines:
        faint = [(x(s), y(max(y_places[0], min(v, y_places[-1])))) for s, v in svg.thin(line.faint)]
        if faint:
            parts.append(svg.path(faint, f"line faint {svg.hue(line.place)}"))
    for line in reversed(lines):
        points = [(x(s), y(v)) for s, v in svg.thin(line.points)]
        parts.append(svg.path(points, f"line {svg.hue(line.place)}", line.title))
        if not line.faint:
            parts += [
                svg.dot(*point, 2.5, f"dot {svg.hue(line.place)}", f"{line.title}, step {s:.0f}: {v:.3f}")
                for point, (s, v) in zip(points, svg.thin(line.points), strict=True)
            ]
    return parts + _names(_named(lines), x, y, share)


def _named(lines: Sequence[Line]) -> list[Line]:
    """The lines that find room for a name: of many those that end highest and lowest."""
    if len(lines) <= MOST_NAMED:
        return list(lines)
    ranked = sorted(lines, key=lambda line: -line.points[-1][1])
    return [*ranked[: MOST_NAMED // 2], *ranked[-MOST_NAMED // 2 :]]


def _names(lines: Sequence[Line], x: svg.Scale, y: svg.Scale, share: bool) -> list[Markup]:
    ends = [line.points[-1] for line in lines]
    places = svg.spread([y(v) for _, v in ends], 15, TOP, BOTTOM)
    parts = []
    for line, (step, value), place in zip(lines, ends, places, strict=True):
        parts.append(svg.path([(x(step) + 2, y(value)), (RIGHT + 8, place)], f"leader {svg.hue(line.place)}"))
        told = numbers.percent(value) if share else f"{value:.2f}"
        name = numbers.shorten(line.title, 15)
        parts.append(svg.text(RIGHT + 11, place + 4, f"{name} {told}", f"end {svg.hue(line.place)}"))
    return parts


def _finite(points: Points) -> list[tuple[float, float]]:
    return [(step, value) for step, value in points if math.isfinite(value)]
