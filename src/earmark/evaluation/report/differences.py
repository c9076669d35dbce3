"""Two models label by label: where each stands, and how far apart, with the interval of the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from earmark.evaluation.report import numbers, svg
from earmark.evaluation.report.axes import columns, x_axis
from earmark.evaluation.report.classes import EACH_END

WIDTH = 440
LEFT, RIGHT = 128, 366
ROW = 24
CHAMPION, BETTER, WORSE = "n6", "n0", "n1"

Row = Mapping[str, Any]
"""A label: label, positives, protected; challenger, champion and difference, each a value with low and high."""


def ranked(rows: Sequence[Row]) -> list[Row]:
    """Labels whose difference is defined, the largest loss first."""
    known = [row for row in rows if row["difference"]["value"] is not None]
    return sorted(known, key=lambda row: (row["difference"]["value"], row["label"]))


def scores(rows: Sequence[Row]) -> Markup:
    """Average precision of both: a ring for the champion, a dot for the challenger, a line from one to the other."""
    x = svg.linear(0, 1, LEFT, RIGHT - 24)
    places = [0, 0.25, 0.5, 0.75, 1]
    shown, bottom = _shown(rows)
    parts = [*columns(places, x, 18, bottom), svg.text(WIDTH, 11, "champion → challenger", "caption", "end")]
    for row, y in shown:
        old, new = row["champion"]["value"], row["challenger"]["value"]
        told = f"{row['label']}: champion {numbers.score(old)}, challenger {numbers.score(new)}"
        parts += _name(row, y)
        parts.append(svg.line(x(old), y, x(new), y, f"span {_hue(new - old)}"))
        parts.append(svg.dot(x(old), y, 4.5, f"dot other {CHAMPION}", told))
        parts.append(svg.dot(x(new), y, 4.5, f"dot {_hue(new - old)}", told))
        parts.append(svg.text(WIDTH, y + 4, f"{numbers.score(old, 2)} → {numbers.score(new, 2)}", "value", "end"))
    parts += x_axis(places, x, bottom, lambda v: f"{v:g}")
    return svg.chart(WIDTH, bottom + 22, _told(rows, "Average precision of champion and challenger"), parts)


def changes(rows: Sequence[Row]) -> Markup:
    """What changes, challenger less champion, with intervals."""
    ends = [end for row in rows for end in row["difference"].values() if end is not None]
    places = svg.ticks(min(0.0, *ends), max(0.0, *ends), 4)
    x = svg.linear(places[0], places[-1], LEFT, RIGHT)
    shown, bottom = _shown(rows)
    parts = [*columns(places, x, 18, bottom), svg.line(x(0), 18, x(0), bottom, "axis")]
    parts.append(svg.text(WIDTH, 11, "difference · clips", "caption", "end"))
    for row, y in shown:
        value, low, high = (row["difference"][end] for end in ("value", "low", "high"))
        told = f"{row['label']}: {signed(value)}"
        if low is not None and high is not None:
            told += f" ({signed(low)} to {signed(high)})"
            parts.append(svg.line(x(low), y, x(high), y, f"span {_hue(value)}"))
        parts += _name(row, y)
        parts.append(svg.dot(x(value), y, 4.5, f"dot {_hue(value)}", f"{told}, {row['positives']} clips"))
        parts.append(svg.text(RIGHT + 42, y + 4, signed(value, 2), "value", "end"))
        parts.append(svg.text(WIDTH, y + 4, numbers.compact(row["positives"]), "tick", "end"))
    parts += x_axis(places, x, bottom, lambda v: signed(v, 2).rstrip("0").rstrip(".") if v else "0")
    return svg.chart(WIDTH, bottom + 22, _told(rows, "Change of average precision"), parts)


def overall(span: Mapping[str, float | None], margin: float, tolerance: float) -> Markup:
    """The difference of mAP with its interval, beside what is asked of it."""
    value, low, high = (span[end] or 0.0 for end in ("value", "low", "high"))
    places = svg.ticks(min(low, -tolerance, 0.0), max(high, margin, 0.0), 5)
    x = svg.linear(places[0], places[-1], 16, WIDTH - 16)
    bottom = 58
    parts = [*columns(places, x, 20, bottom), svg.line(x(-tolerance), 14, x(-tolerance), bottom, "chance")]
    parts.append(svg.text(x(-tolerance), 10, f"interval from {signed(-tolerance, 2)}", "caption", "middle"))
    if abs(x(margin) - x(-tolerance)) > 1:
        parts.append(svg.line(x(margin), 24, x(margin), bottom, "axis"))
    parts.append(svg.line(x(low), 40, x(high), 40, f"span {_hue(value)}"))
    parts.append(svg.dot(x(value), 40, 6, f"dot {_hue(value)}", f"{signed(value)} ({signed(low)} to {signed(high)})"))
    parts += x_axis(places, x, bottom, lambda v: signed(v, 3).rstrip("0").rstrip(".") if v else "0")
    told = f"Change of mAP {signed(value)}, interval {signed(low)} to {signed(high)}"
    return svg.chart(WIDTH, bottom + 24, told, parts)


def signed(value: float | None, digits: int = 3) -> str:
    """``+0.031``, ``−0.020``."""
    return numbers.NONE if value is None else f"{value:+.{digits}f}".replace("-", "−")


def _shown(rows: Sequence[Row]) -> tuple[list[tuple[Row, float]], float]:
    """Rows with their heights, and the bottom; of many the largest losses and the largest gains."""
    kept = list(rows) if len(rows) <= 2 * EACH_END else [*rows[:EACH_END], *rows[-EACH_END:]]
    return [(row, 20 + ROW * (n + 0.5)) for n, row in enumerate(kept)], 22 + ROW * len(kept)


def _name(row: Row, y: float) -> list[Markup]:
    name = numbers.shorten(row["label"].replace("_", " "), 18)
    return [svg.text(LEFT - 8, y + 4, name, "name strong" if row["protected"] else "name", "end")]


def _hue(difference: float) -> str:
    return WORSE if difference < 0 else BETTER


def _told(rows: Sequence[Row], what: str) -> str:
    first, last = rows[0], rows[-1]
    ends = [f"{row['label']} ({signed(row['difference']['value'])})" for row in (first, last)]
    return f"{what} by label, from {ends[0]} to {ends[1]}"
