"""What a score costs: multiplies against mAP, and how long each network trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from earmark.evaluation.report import numbers, svg
from earmark.evaluation.report.axes import columns, x_axis, y_axis
from earmark.evaluation.report.data import Network

WIDTH = 440
LEFT, RIGHT, TOP = 38, 424, 12
ROW = 30
LETTER = 6.2
"""About the width of a letter of a name, to keep names apart."""

Box = tuple[float, float, float, float]


def frontier(networks: Sequence[Network]) -> Markup | None:
    """Test mAP over multiplies for a patch (logarithmic); the area of a dot is the number of weights."""
    known = [(i, n, n.test["map"].value) for i, n in enumerate(networks) if n.test["map"].value is not None]
    if len(known) < 2:
        return None
    bottom = 18 + ROW * max(5, len(networks)) - 14
    decades = [math.log10(max(1, n.multiplies)) for _, n, _ in known]
    first, last = math.floor(min(decades)), math.ceil(max(decades))
    places = list(range(first, max(last, first + 1) + 1))
    y_places = svg.ticks(0, max(value or 0 for *_, value in known), 4)
    x = svg.linear(places[0], places[-1], LEFT, RIGHT)
    y = svg.linear(y_places[0], y_places[-1], bottom, TOP)
    largest = max(n.weights for _, n, _ in known)
    parts = y_axis(y_places, y, LEFT, RIGHT, lambda v: f"{v:g}")
    parts += x_axis(places, x, bottom, lambda decade: numbers.compact(10.0**decade), "multiplies for 0.96 s of sound")
    dots = [
        (x(math.log10(max(1, n.multiplies))), y(value or 0), 3.5 + 7 * math.sqrt(n.weights / largest))
        for _, n, value in known
    ]
    taken: list[Box] = [(cx - r, cy - r, cx + r, cy + r) for cx, cy, r in dots]
    for (i, network, value), (cx, cy, radius) in zip(known, dots, strict=True):
        told = (
            f"{network.title}: mAP {numbers.metric('map', value)}, {numbers.compact(network.multiplies)} multiplies, "
            f"{numbers.compact(network.weights)} weights"
        )
        parts.append(svg.dot(cx, cy, radius, f"dot see {svg.hue(i)}", told))
        name = numbers.shorten(network.title, 20)
        left, baseline = _free_place(cx, cy, radius, LETTER * len(name), taken)
        parts.append(svg.text(left, baseline, name, f"end {svg.hue(i)}"))
    told = ", ".join(f"{n.title} {numbers.compact(n.multiplies)}" for _, n, _ in known)
    return svg.chart(WIDTH, bottom + 36, f"Test mAP against multiplies: {told}", parts)


def times(networks: Sequence[Network]) -> Markup | None:
    """Training time of each network as a bar."""
    if len(networks) < 2:
        return None
    longest = max(n.seconds for n in networks) or 1.0
    unit, name = next(((u, w) for u, w in ((3600.0, "hours"), (60.0, "minutes")) if longest > 2 * u), (1.0, "seconds"))
    places = svg.ticks(0, longest / unit, 4)
    bottom = 8 + ROW * len(networks)
    x = svg.linear(0, places[-1], 118, WIDTH - 62)
    parts = columns(places, x, 4, bottom)
    for i, network in enumerate(networks):
        y = 4 + ROW * (i + 0.5)
        told = f"{network.title}: {numbers.duration(network.seconds)}"
        parts += [
            svg.text(0, y + 4, numbers.shorten(network.title, 17), "name strong" if i == 0 else "name"),
            svg.rect(118, y - 7, x(network.seconds / unit) - 118, 14, f"block {svg.hue(i)}", told),
            svg.text(WIDTH, y + 4, numbers.duration(network.seconds), "value", "end"),
        ]
    parts += x_axis(places, x, bottom, lambda v: f"{v:g}", name)
    told = ", ".join(f"{n.title} {numbers.duration(n.seconds)}" for n in networks)
    return svg.chart(WIDTH, bottom + 36, f"Training time: {told}", parts)


def _free_place(cx: float, cy: float, radius: float, width: float, taken: list[Box]) -> tuple[float, float]:
    """Left end and baseline of a name beside, over or under its dot: the first place where it covers nothing."""
    tries = [
        (cx + radius + 4, cy + 4),
        (cx - radius - 4 - width, cy + 4),
        (cx - width / 2, cy - radius - 5),
        (cx - width / 2, cy + radius + 13),
        (cx - width, cy - radius - 5),
        (cx - width, cy + radius + 13),
    ]
    inside = [(left, base) for left, base in tries if left >= LEFT and left + width <= WIDTH] or tries[:1]
    left, base = min(inside, key=lambda place: _covered(_box(place[0], place[1], width), taken))
    taken.append(_box(left, base, width))
    return left, base


def _covered(box: Box, taken: Sequence[Box]) -> float:
    return sum((_overlap(box, other) for other in taken), 0.0)


def _box(left: float, base: float, width: float) -> Box:
    return (left, base - 10, left + width, base + 3)


def _overlap(one: Box, other: Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, wide) * max(0.0, high)
