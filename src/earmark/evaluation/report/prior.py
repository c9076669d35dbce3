"""d-prime and average precision against class prior: does a label's rarity hurt? (Figure 1 of the paper, and AP.)"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from markupsafe import Markup

from earmark.evaluation.report import numbers, svg
from earmark.evaluation.report.axes import x_axis, y_axis
from earmark.evaluation.report.data import ClassScore

WIDTH, HEIGHT = 440, 554
LEFT, RIGHT = 34, 402
PANELS = ((24, 244), (284, 504))
"""Top and bottom of d-prime's panel, and of average precision's."""
EDGE = 14
"""Below the panel's top: where its highest grid line lies, so that what is infinite stands apart above it."""
MOST_NAMED = 14
NAMED_EACH_END = 4
MOST_COVERED = 3
"""Dots that a name may lie on."""
LETTER = 5.7
"""About the width of a letter of 10.5 units."""
NEAR, FAR = (4, -4, 12), (4, -4, 12, -14, 22, -26, 34)
"""How far the line of a name may lie below its dot, the best first; far ones are led to their dot by a line."""
COLUMN = 24
"""Labels within so many units stand in one column, their names in another."""
SHADES = 6
FEW = 15
"""With fewer labels the median is one level."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


class _Place(NamedTuple):
    """Where a name is written."""

    x: float
    y: float
    anchor: str | None


@dataclass(frozen=True)
class _Panel:
    """One score against prior; ``value`` of a label lies within ``places`` or is infinite."""

    metric: str
    title: str
    known: Sequence[ClassScore]
    value: Callable[[ClassScore], float]
    places: Sequence[float]
    top: float
    bottom: float
    x: svg.Scale

    def y(self, value: float) -> float:
        """Height of a value; the infinite ones lie on the edges."""
        if math.isinf(value):
            return self.top if value > 0 else self.bottom
        return svg.linear(self.places[0], self.places[-1], self.bottom, self.top + EDGE)(value)

    def at(self, score: ClassScore) -> tuple[float, float]:
        """Where a label's dot lies."""
        return self.x(math.log10(score.prior)), self.y(self.value(score))


def draw(classes: Sequence[ClassScore], network: str) -> Markup | None:
    """A dot a label in either panel, coloured by average precision; medians as lines over thirds of a decade.

    A label that is told apart perfectly has an infinite d-prime: it lies on the upper edge as a triangle, one that is
    always told the wrong way on the lower. Of more labels than can be named, those at either end are.
    """
    known = [c for c in classes if c.d_prime.value is not None and c.prior > 0]
    if not known:
        return None
    decades = [math.log10(c.prior) for c in known]
    first, last = math.floor(min(decades) - 1e-9), math.ceil(max(decades) + 1e-9)
    first, last = (first - 1, last) if first == last else (first, last)
    x = svg.linear(first, last, LEFT, RIGHT)
    finite = [v for v in map(_d_prime, known) if math.isfinite(v)]
    d_places = svg.ticks(min([0.0, *finite]), max([1.0, *finite]) * 1.05, 4)
    precise = [c for c in known if c.ap.value is not None]
    parts = _legend()
    for panel in (
        _Panel("d_prime", "d′", known, _d_prime, d_places, *PANELS[0], x),
        _Panel("ap", "average precision", precise, _ap, (0, 0.25, 0.5, 0.75, 1), *PANELS[1], x),
    ):
        parts += _panel(panel, range(first, last + 1))
    told = f"d-prime and average precision of {network} against class prior for {len(known)} labels"
    return svg.chart(WIDTH, HEIGHT, told, parts)


def medians(scores: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """(log10 prior, median): a point for each third of a decade, one level where labels or priors are few.

    Args:
        scores: (log10 prior, score) of each label, not empty.
    """
    low, high = min(d for d, _ in scores), max(d for d, _ in scores)
    if high - low < 1 / 3 or len(scores) < FEW:
        reach, level = max(0.12, (high - low) / 2), median(v for _, v in scores)
        return [((low + high) / 2 - reach, level), ((low + high) / 2 + reach, level)]
    bins: dict[int, list[tuple[float, float]]] = {}
    for decade, value in scores:
        bins.setdefault(math.floor(decade * 3), []).append((decade, value))
    return [
        (sum(d for d, _ in bins[b]) / len(bins[b]), median(v for _, v in bins[b]))
        for b in sorted(bins)
        if len(bins[b]) >= 3
    ]


def _legend() -> list[Markup]:
    """What the colours mean, above the right end."""
    first, top = RIGHT - 8 - 16 * SHADES, PANELS[0][0] - 21
    boxes = [svg.rect(first + 16 * i, top, 16, 10, f"ap a{i}") for i in range(SHADES)]
    ends = [svg.text(first - 5, top + 9, "average precision 0", "caption", "end")]
    return [*ends, *boxes, svg.text(RIGHT - 3, top + 9, "1", "caption")]


def _panel(panel: _Panel, decades: Sequence[int]) -> list[Markup]:
    parts = y_axis(panel.places, panel.y, LEFT, RIGHT, lambda v: f"{v:g}")
    parts += x_axis(decades, panel.x, panel.bottom, _share, "share of the test clips with the label")
    parts.append(svg.text(0, panel.top - 6, panel.title, "caption"))
    if not panel.known:
        return parts
    # Infinite values count at the ends of the scale: between an infinite and a finite one lies no middle.
    low, high = panel.places[0], panel.places[-1]
    scores = [(math.log10(c.prior), min(high, max(low, panel.value(c)))) for c in panel.known]
    centre = [(panel.x(decade), panel.y(value)) for decade, value in medians(scores)]
    radius = 4.5 if len(panel.known) <= 100 else 3
    dots = [_dot(c, panel, radius) for c in sorted(panel.known, key=lambda c: -c.prior)]
    line = svg.path(centre, "median", "median")
    if len(panel.known) <= MOST_NAMED:
        columns = {round(panel.at(c)[0] / COLUMN) for c in panel.known}
        return [*parts, line, *dots, *(_names(panel) if len(columns) == 1 else _beside(panel, [panel.known], []))]
    # Over many dots, or it would be lost among them.
    parts += [*dots, line]
    ranked = sorted(panel.known, key=lambda c: (-panel.value(c), c.prior, c.label))
    ends = [ranked[: 4 * NAMED_EACH_END], ranked[::-1][: 4 * NAMED_EACH_END]]
    if not centre:
        return parts + _beside(panel, ends, [])
    height = centre[-1][1]
    parts.append(svg.text(RIGHT + 4, height + 4, "median", "caption"))
    return parts + _beside(panel, ends, [(RIGHT, height - 7, WIDTH, height + 7)])


def _dot(score: ClassScore, panel: _Panel, radius: float) -> Markup:
    x, y = panel.at(score)
    shade = f"ap a{min(SHADES - 1, int(SHADES * (score.ap.value or 0)))}"
    told = (
        f"{score.label}: d′ {numbers.metric('d_prime', score.d_prime.value)}, "
        f"AP {numbers.metric('ap', score.ap.value)}, {numbers.percent(score.prior, 2)} of the clips"
    )
    if math.isinf(panel.value(score)):
        away = 1 if y == panel.top else -1
        corners = [(x, y - 5 * away), (x + 5, y + 4 * away), (x - 5, y + 4 * away)]
        return svg.area(corners, shade, told)
    return svg.dot(x, y, radius, shade, told)


def _names(panel: _Panel) -> list[Markup]:
    """Every label beside its dot, at least a line apart."""
    heights = [panel.at(c)[1] for c in panel.known]
    places = svg.spread(heights, 15, panel.top, panel.bottom - 6)
    parts = []
    for score, height, place in zip(panel.known, heights, places, strict=True):
        across = panel.at(score)[0]
        right = across < (LEFT + RIGHT) / 2
        edge = across + 26 if right else across - 26
        parts.append(svg.path([(across + (7 if right else -7), height), (edge - 3, place)], "leader"))
        label = numbers.shorten(score.label, 22)
        parts.append(svg.text(edge if right else edge - 6, place + 4, label, "name small", None if right else "end"))
    return parts


def _beside(panel: _Panel, ends: Sequence[Sequence[ClassScore]], taken: list[Box]) -> list[Markup]:
    """Names beside their dots, where they find room: of a few labels all, of many some at each end."""
    few = len(panel.known) <= MOST_NAMED
    dots = [panel.at(c) for c in panel.known]
    parts = []
    for end in ends:
        named = 0
        for score in end:
            if named == NAMED_EACH_END and not few:
                break
            label = numbers.shorten(score.label, 22)
            x, y = panel.at(score)
            place = _room(panel, (x, y), LETTER * len(label), dots, taken, FAR if few else NEAR)
            if place is None:
                continue
            named += 1
            if abs(place.y - y - 4) > 8:
                parts.append(svg.path([(x, y), (place.x, place.y - 4)], "leader"))
            parts.append(svg.text(place.x, place.y, label, "name small halo", place.anchor))
    return parts


def _room(
    panel: _Panel,
    at: tuple[float, float],
    width: float,
    dots: Sequence[tuple[float, float]],
    taken: list[Box],
    shifts: Sequence[float],
) -> _Place | None:
    """Where a name beside its dot covers the fewest dots and no other name; the place is taken then."""
    x, y = at
    found: list[tuple[int, Box, _Place]] = []
    for dy in shifts:
        for left, place in ((x + 7, _Place(x + 7, y + dy, None)), (x - 7 - width, _Place(x - 7, y + dy, "end"))):
            box = (left, y + dy - 9, left + width, y + dy + 3)
            inside = box[0] >= LEFT and box[2] <= WIDTH and panel.top - 4 <= box[1] and box[3] <= panel.bottom
            if inside and not any(_meet(box, other) for other in taken):
                covered = sum(_meet(box, (a - 2, b - 2, a + 2, b + 2)) for a, b in dots)
                found.append((covered, box, place))
    if not found:
        return None
    covered, box, place = min(found, key=lambda each: each[0])
    if covered > MOST_COVERED:
        return None
    # Its dot, too, is not to be covered by the next name.
    taken += [box, (x - 4, y - 4, x + 4, y + 4)]
    return place


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _d_prime(score: ClassScore) -> float:
    return score.d_prime.value or 0.0


def _ap(score: ClassScore) -> float:
    return score.ap.value or 0.0


def _share(decade: float) -> str:
    share = 10.0**decade * 100
    return f"{share:g}{numbers.THIN}%"
