"""The frame of a chart: grid lines and their labels along both axes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup

from earmark.evaluation.report import svg

Format = Callable[[float], str]


def x_axis(places: Sequence[float], scale: svg.Scale, y: float, form: Format, caption: str = "") -> list[Markup]:
    """Labels below the line at y, a caption under their right end."""
    parts = [svg.line(scale(places[0]), y, scale(places[-1]), y, "axis")]
    parts += [svg.text(scale(v), y + 16, form(v), "tick", _anchor(i, len(places))) for i, v in enumerate(places)]
    if caption:
        parts.append(svg.text(scale(places[-1]), y + 32, caption, "caption", "end"))
    return parts


def y_axis(places: Sequence[float], scale: svg.Scale, x1: float, x2: float, form: Format) -> list[Markup]:
    """A grid line and a label for each place."""
    parts = []
    for value in places:
        parts.append(svg.line(x1, scale(value), x2, scale(value), "grid"))
        parts.append(svg.text(x1 - 6, scale(value) + 4, form(value), "tick", "end"))
    return parts


def columns(places: Iterable[float], scale: svg.Scale, y1: float, y2: float) -> list[Markup]:
    """Upright grid lines."""
    return [svg.line(scale(v), y1, scale(v), y2, "grid") for v in places]


def _anchor(index: int, count: int) -> str:
    return "start" if index == 0 else "end" if index == count - 1 else "middle"
