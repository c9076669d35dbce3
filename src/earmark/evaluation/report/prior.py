"""d-prime against class prior: does a label's rarity hurt?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from markupsafe import Markup

from earmark.evaluation.report import numbers, svg
from earmark.evaluation.report.axes import x_axis, y_axis
from earmark.evaluation.report.data import ClassScore

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 34, 410, 16, 250
MOST_NAMED = 14
SHADES = 6


def draw(classes: Sequence[ClassScore], network: str) -> Markup | None:
    """A dot a label, coloured by average precision; the median of d-prime as a line over thirds of a decade.

    A label that is told apart perfectly has an infinite d-prime: it lies on the upper edge as a triangle.
    """
    known = [c for c in classes if c.d_prime.value is not None and c.prior > 0]
    if not known:
        return None
    finite = [c.d_prime.value for c in known if c.d_prime.value is not None and math.isfinite(c.d_prime.value)]
    y_places = svg.ticks(min([0.0, *finite]), max([1.0, *finite]) * 1.05, 4)
    decades = [math.log10(c.prior) for c in known]
    first, last = math.floor(min(decades) - 1e-9), math.ceil(max(decades) + 1e-9)
    first, last = (first - 1, last) if first == last else (first, last)
    x = svg.linear(first, last, LEFT, RIGHT)
    y = svg.linear(y_places[0], y_places[-1], BOTTOM, TOP + 14)
    parts = y_axis(y_places, y, LEFT, RIGHT, lambda v: f"{v:g}")
    parts += x_axis(range(first, last + 1), x, BOTTOM, _share, "share of the test clips with the label")
    parts.append(svg.text(LEFT - 6, TOP + 3, "d′", "caption", "end"))
    centre = [(x(d), y(min(m, y_places[-1]))) for d, m in medians(known)]
    parts.append(svg.path(centre, "median", "median"))
    radius = 4.5 if len(known) <= 100 else 3
    parts += [_dot(c, x, y, TOP, radius) for c in sorted(known, key=lambda c: -c.prior)]
    if len(known) <= MOST_NAMED:
        parts += _names(known, x, y)
    elif centre:
        parts.append(svg.text(RIGHT, centre[-1][1] - 6, "median", "caption", "end"))
    told = f"d-prime of {network} against class prior for {len(known)} labels"
    return svg.chart(WIDTH, HEIGHT, told, parts)


def medians(classes: Sequence[ClassScore]) -> list[tuple[float, float]]:
    """(log10 prior, median d-prime): a point for each third of a decade, one level where labels or priors are few."""
    scored = [(math.log10(c.prior), c.d_prime.value) for c in classes if c.d_prime.value is not None]
    low, high = min(d for d, _ in scored), max(d for d, _ in scored)
    values = [v for _, v in scored]
    if high - low < 1 / 3 or len(scored) < 15:
        reach = max(0.12, (high - low) / 2)
        return [((low + high) / 2 - reach, median(values)), ((low + high) / 2 + reach, median(values))]
    bins: dict[int, list[tuple[float, float]]] = {}
    for decade, value in scored:
        bins.setdefault(math.floor(decade * 3), []).append((decade, value))
    return [
        (sum(d for d, _ in bins[b]) / len(bins[b]), median(v for _, v in bins[b]))
        for b in sorted(bins)
        if len(bins[b]) >= 3
    ]


def _dot(score: ClassScore, x: svg.Scale, y: svg.Scale, top: float, radius: float) -> Markup:
    place = x(math.log10(score.prior))
    shade = f"a{min(SHADES - 1, int(SHADES * (score.ap.value or 0)))}"
    told = (
        f"{score.label}: d′ {numbers.metric('d_prime', score.d_prime.value)}, "
        f"AP {numbers.metric('ap', score.ap.value)}, {numbers.percent(score.prior, 2)} of the clips"
    )
    if math.isinf(score.d_prime.value or 0):
        return svg.tag("path", svg.tag("title", told), d=f"M{place:.1f} {top - 5:.1f}l5 9h-10z", class_=f"ap {shade}")
    return svg.dot(place, y(score.d_prime.value or 0), radius, f"ap {shade}", told)


def _names(known: Sequence[ClassScore], x: svg.Scale, y: svg.Scale) -> list[Markup]:
    values = [c.d_prime.value or 0.0 for c in known]
    heights = [TOP if math.isinf(v) else y(v) for v in values]
    places = svg.spread(heights, 15, TOP, BOTTOM - 6)
    parts = []
    for score, height, place in zip(known, heights, places, strict=True):
        across = x(math.log10(score.prior))
        right = across < (LEFT + RIGHT) / 2
        edge = across + 26 if right else across - 26
        parts.append(svg.path([(across + (7 if right else -7), height), (edge - 3, place)], "leader"))
        label = numbers.shorten(score.label, 22)
        parts.append(svg.text(edge if right else edge - 6, place + 4, label, "name small", None if right else "end"))
    return parts


def _share(decade: float) -> str:
    share = 10.0**decade * 100
    return f"{share:g}{numbers.THIN}%"
