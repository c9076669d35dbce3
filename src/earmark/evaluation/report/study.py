"""A study's charts: lines named at their ends, intervals as upright strokes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from earmark.evaluation.report import numbers, svg
from earmark.evaluation.report.axes import x_axis, y_axis
from earmark.evaluation.report.studied import Chart, Series

WIDTH, HEIGHT = 440, 270
LEFT, RIGHT, TOP, BOTTOM = 46, 312, 12, 226
MOST_NAMED, MOST_MARKED = 14, 24
"""Lines that are named, and points of a line that are marked."""


def draw(chart: Chart) -> Markup:
    """The lines of a chart with their intervals and names."""
    points = [point for series in chart.series for point in series.points]
    values = [v for _, *ends in points for v in ends if v is not None and math.isfinite(v)]
    x_places, x = _across([point[0] for point in points], chart.log_x)
    y_places = svg.ticks(min(0.0, *values), max(values), 4)
    y = svg.linear(y_places[0], y_places[-1], BOTTOM, TOP)
    parts = y_axis(y_places, y, LEFT, RIGHT, lambda v: f"{v:g}")
    parts += x_axis(x_places, x, BOTTOM, numbers.compact, chart.x_title)
    for place, series in reversed(list(enumerate(chart.series))):
        parts += _line(series, place, x, y)
    told = f"{chart.title}: {chart.y_title} by {chart.x_title} of {', '.join(s.name for s in chart.series)}"
    return svg.chart(WIDTH, HEIGHT, told, [*parts, *_names(chart.series, x, y)])


def _across(values: Sequence[float], log: bool) -> tuple[list[float], svg.Scale]:
    """Places of labels on the x axis, and its scale."""
    if not log:
        places = svg.ticks(0, max(values), 3)
        return places, svg.linear(0, places[-1], LEFT, RIGHT)
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    scale = svg.linear(first, max(last, first + 1), LEFT, RIGHT)
    places = [10.0**power for power in range(first, max(last, first + 1) + 1)]
    return places, lambda value: scale(math.log10(value))


def _line(series: Series, place: int, x: svg.Scale, y: svg.Scale) -> list[Markup]:
    hue = svg.hue(place)
    drawn = svg.thin([(x(at), y(value)) for at, value, _, _ in series.points])
    parts = [svg.path(drawn, f"line {hue}", series.name)]
    if len(series.points) > MOST_MARKED:
        return parts
    for at, value, low, high in series.points:
        span = ""
        if low is not None and high is not None:
            parts.append(svg.line(x(at), y(low), x(at), y(high), f"span {hue}"))
            span = f" ({numbers.score(low)} to {numbers.score(high)})"
        told = f"{series.name}, {numbers.compact(at)}: {numbers.score(value)}{span}"
        parts.append(svg.dot(x(at), y(value), 3, f"dot {hue}", told))
    return parts


def _names(lines: Sequence[Series], x: svg.Scale, y: svg.Scale) -> list[Markup]:
    """A name at the end of each line; of many only the highest and the lowest have room."""
    ranked = sorted(enumerate(lines), key=lambda line: -line[1].points[-1][1])
    if len(ranked) > MOST_NAMED:
        ranked = [*ranked[: MOST_NAMED // 2], *ranked[-MOST_NAMED // 2 :]]
    places = svg.spread([y(line.points[-1][1]) for _, line in ranked], 15, TOP, BOTTOM)
    parts = []
    for (number, line), place in zip(ranked, places, strict=True):
        at, value = line.points[-1][:2]
        parts.append(svg.path([(x(at) + 2, y(value)), (RIGHT + 8, place)], f"leader {svg.hue(number)}"))
        name = f"{numbers.shorten(line.name, 15)} {value:.2f}"
        parts.append(svg.text(RIGHT + 11, place + 4, name, f"end {svg.hue(number)}"))
    return parts
