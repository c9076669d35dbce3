"""Small pieces of SVG: everything that comes from data is escaped here, colours come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup, escape

Scale = Callable[[float], float]
COLOURS = 7  # hues told apart by colour-blind readers too; beyond, the same hues with a dashed line


def tag(name: str, *content: str | Markup, **attributes: str | float | None) -> Markup:
    """An element; ``class_`` becomes class, underscores become dashes, floats get one decimal."""
    told = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _text(value))
        for key, value in attributes.items()
        if value is not None
    )
    inner = Markup("").join(escape(part) for part in content)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), told, inner)


def chart(width: float, height: float, description: str, parts: Iterable[Markup], class_: str = "chart") -> Markup:
    """A whole drawing, as wide as the page lets it be, with a description for those who cannot see it."""
    return tag(
        "svg",
        tag("title", description),
        *parts,
        viewBox=f"0 0 {width:g} {height:g}",
        class_=class_,
        role="img",
        aria_label=description,
    )


def text(x: float, y: float, content: str, class_: str | None = None, anchor: str | None = None) -> Markup:
    """A line of text, its baseline at y."""
    return tag("text", content, x=x, y=y, class_=class_, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def path(points: Sequence[tuple[float, float]], class_: str, tooltip: str = "") -> Markup:
    """A line through points."""
    steps = " ".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))
    return tag("path", *_tooltip(tooltip), d=steps, class_=class_)


def area(corners: Sequence[tuple[float, float]], class_: str, tooltip: str = "") -> Markup:
    """A filled shape with straight sides."""
    steps = " ".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(corners))
    return tag("path", *_tooltip(tooltip), d=f"{steps}Z", class_=class_)


def group(parts: Iterable[Markup], x: float, y: float) -> Markup:
    """A part of a drawing, moved."""
    return tag("g", *parts, transform=f"translate({x:g} {y:g})")


def dot(x: float, y: float, radius: float, class_: str, tooltip: str = "", fill: str | None = None) -> Markup:
    """A circle that tells its value when pointed at."""
    return tag("circle", *_tooltip(tooltip), cx=x, cy=y, r=radius, class_=class_, fill=fill)


def rect(
    x: float, y: float, width: float, height: float, class_: str, tooltip: str = "", **more: str | float
) -> Markup:
    """A rectangle that tells its value when pointed at."""
    return tag("rect", *_tooltip(tooltip), x=x, y=y, width=max(0.0, width), height=height, class_=class_, **more)


def hue(index: int) -> str:
    """The style classes of the network at a place: a colour, dashed when the colours are used up."""
    return f"n{index % COLOURS}" + (" dashed" if index >= COLOURS else "")


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """Maps [low, high] to [start, end]."""
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that cover [low, high]; the first and the last lie at or beyond its ends."""
    if high <= low:
        high = low + 1.0
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near as possible to those wanted, in their order, at least ``gap`` apart, within [low, high]."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    places = [0.0] * len(wanted)
    floor = low
    for i in order:
        places[i] = max(floor, min(high, wanted[i]))
        floor = places[i] + gap
    ceiling = high
    for i in reversed(order):
        places[i] = min(ceiling, places[i])
        ceiling = places[i] - gap
    return places


def thin(points: Sequence[tuple[float, float]], most: int = 160) -> list[tuple[float, float]]:
    """At most ``most`` of the points, evenly chosen, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(i * (len(points) - 1) / (most - 1))] for i in range(most)]


def _tooltip(content: str) -> list[Markup]:
    return [tag("title", content)] if content else []


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
