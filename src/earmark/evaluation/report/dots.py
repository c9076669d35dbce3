"""Models over folds and seeds as dots: each of them small, the pooled score with its interval, the average of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from earmark.evaluation.report import numbers, svg
from earmark.evaluation.report.axes import columns, x_axis

WIDTH = 440
ROW = 50
NAMES = {"accuracy": "accuracy", "map": "mAP", "auc": "AUC"}


def draw(rows: Sequence[Mapping[str, Any]], metric: str) -> Markup:
    """A row a network.

    Args:
        rows: ``title``, ``hue`` (None for the choice by validation), ``models`` (fold, seed, test), ``single`` and
            ``ensemble`` (summaries or None).
        metric: accuracy, map or auc.
    """
    places = _places(rows, metric)
    bottom = 16 + ROW * len(rows)
    x = svg.linear(places[0], places[-1], 126, WIDTH - 54)
    parts = columns(places, x, 8, bottom)
    for i, row in enumerate(rows):
        parts += _row(row, metric, x, 8 + ROW * i)
    parts += x_axis(places, x, bottom, lambda v: numbers.percent(v) if metric == "accuracy" else f"{v:g}")
    told = "; ".join(f"{row['title']} {_value(row['single'], metric)}" for row in rows)
    return svg.chart(WIDTH, bottom + 24, f"Test {NAMES[metric]} of every model and pooled: {told}", parts)


def _row(row: Mapping[str, Any], metric: str, x: svg.Scale, top: float) -> list[Markup]:
    hue = "n6" if row["hue"] is None else svg.hue(row["hue"])
    y, below = top + 15, top + 33
    parts = [svg.text(0, y + 4, numbers.shorten(row["title"], 19), "name")]
    for model in row["models"]:
        value = model["test"][metric]
        if value is not None:
            told = f"{row['title']}, {where(model)}: {numbers.metric(metric, value)}"
            parts.append(svg.dot(x(value), y, 3, f"dot fold {hue}", told))
    if row["single"] is None:
        parts.append(svg.text(0, below + 4, "incomplete", "caption"))
        return parts
    parts += _pooled(row["single"], metric, x, y, hue, row["title"], "dot")
    if row["ensemble"] is not None:
        parts.append(svg.text(0, below + 4, "its models averaged", "caption"))
        parts += _pooled(row["ensemble"], metric, x, below, hue, f"{row['title']}, its models averaged", "other dot")
    return parts


def where(model: Mapping[str, Any]) -> str:
    """``fold 2, seed 0``."""
    return f"fold {model['fold']}, seed {model['seed']}" if model["fold"] else f"seed {model['seed']}"


def _pooled(
    summary: Mapping[str, float | None], metric: str, x: svg.Scale, y: float, hue: str, name: str, kind: str
) -> list[Markup]:
    value, low, high = (summary[f"{metric}{end}"] for end in ("", "_low", "_high"))
    if value is None:
        return [svg.text(WIDTH, y + 4, "not defined", "caption", "end")]
    span = [] if low is None or high is None else [svg.line(x(low), y, x(high), y, f"span {hue}")]
    told = f"{name}: {numbers.metric(metric, value)}"
    figure = svg.text(WIDTH, y + 4, numbers.metric(metric, value), "value", "end")
    return [*span, svg.dot(x(value), y, 5.5, f"{kind} {hue}", told), figure]


def _places(rows: Sequence[Mapping[str, Any]], metric: str) -> list[float]:
    """Round numbers around all that is drawn, within [0, 1]."""
    values = [model["test"][metric] for row in rows for model in row["models"]]
    summaries = [row[kind] for row in rows for kind in ("single", "ensemble") if row[kind] is not None]
    values += [summary[f"{metric}{end}"] for summary in summaries for end in ("", "_low", "_high")]
    known = [value for value in values if value is not None] or [0.0, 1.0]
    return [place for place in svg.ticks(min(known), max(known), 4) if -1e-9 <= place <= 1 + 1e-9] or [0.0, 1.0]


def _value(summary: Mapping[str, float | None] | None, metric: str) -> str:
    return "incomplete" if summary is None else numbers.metric(metric, summary[metric])
