"""Pictures of a data set: bars a label, histograms, and which labels come together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from earmark.evaluation.report import axes, numbers, svg

WIDTH = 520.0
MOST_BARS = 60
MOST_DRAWN = 60
MOST_WITH_COUNTS = 20
ROW = 22.0
FEWEST = 4
"""An axis of clips reaches so far at least: there are no half clips to mark."""


def bars(labels: Mapping[str, Mapping[str, int]], splits: Mapping[str, int] | None) -> Markup:
    """Clips of each label, the commonest first, in pieces by split."""
    order = sorted(labels, key=lambda label: (-labels[label]["clips"], label))[:MOST_BARS]
    left, right = 130.0, WIDTH - 46
    places = svg.ticks(0, max(FEWEST, *(labels[label]["clips"] for label in order)), 4)
    scale = svg.linear(0, places[-1], left, right)
    bottom = ROW * len(order) + 8
    parts = axes.columns(places, scale, 4, bottom)
    for row, label in enumerate(order):
        y, x = 8 + ROW * row, left
        parts.append(svg.text(left - 8, y + 12, numbers.shorten(label, 18), "name small", "end"))
        pieces = {split: labels[label][split] for split in splits} if splits else {"clips": labels[label]["clips"]}
        for place, (split, count) in enumerate(pieces.items()):
            width = scale(count) - left
            parts.append(svg.rect(x, y, width, ROW - 7, f"block n{place}", f"{label}, {split}: {count:,}"))
            x += width
        parts.append(svg.text(x + 6, y + 12, f"{labels[label]['clips']:,}", "value"))
    parts += axes.x_axis(places, scale, bottom, lambda value: f"{value:,.0f}", "clips")
    return svg.chart(WIDTH, bottom + 38, f"Clips of {len(order)} labels", parts)


def histogram(spread: Mapping[str, Any], unit: str, title: str) -> Markup:
    """How many clips lie between each two edges."""
    edges, counts = spread["edges"], spread["counts"]
    left, bottom = 46.0, 180.0
    x_places = svg.ticks(edges[0], edges[-1], 5)
    y_places = svg.ticks(0, max(FEWEST, *counts), 4)
    x = svg.linear(x_places[0], x_places[-1], left, WIDTH - 10)
    y = svg.linear(0, y_places[-1], bottom, 12)
    parts = axes.y_axis(y_places, y, left, WIDTH - 10, lambda value: f"{value:,.0f}")
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            told = f"{low:.4g} to {high:.4g} {unit}: {count:,} clips"
            parts.append(
                svg.rect(x(low), y(count), max(1.5, x(high) - x(low) - 1), bottom - y(count), "block n0", told)
            )
    parts += axes.x_axis(x_places, x, bottom, lambda value: f"{value:g}".replace("-", "−"), unit)
    return svg.chart(WIDTH, bottom + 38, f"{title} of clips in {unit}", parts)


def matrix(together: Sequence[Sequence[int]], labels: Sequence[str]) -> Markup | None:
    """A row a label: the share of its clips that carry each other label, darker for more; None for too many labels."""
    if len(labels) > MOST_DRAWN:
        return None
    few = len(labels) <= MOST_WITH_COUNTS
    cell = max(11.0, min(34.0, 380 / len(labels)))
    left, top = 130.0, 96.0
    parts = []
    for i, row in enumerate(together):
        y = top + cell * i
        parts.append(svg.text(left - 8, y + cell / 2 + 4, numbers.shorten(labels[i], 18), "name small", "end"))
        turned = f"translate({left + cell * (i + 0.5):.1f} {top - 8:.1f}) rotate(-45)"
        parts.append(svg.tag("text", numbers.shorten(labels[i], 16), transform=turned, class_="name small"))
        for j, count in enumerate(row):
            x, share = left + cell * j, count / max(1, row[i])
            told = f"{count:,} of {row[i]:,} clips of {labels[i]} are {labels[j]} too"
            parts.append(svg.rect(x, y, cell - 1.5, cell - 1.5, "cell empty"))
            if i != j and count:
                opacity = f"{0.08 + 0.92 * share:.2f}"
                parts.append(svg.rect(x, y, cell - 1.5, cell - 1.5, "cell right", told, fill_opacity=opacity))
            if few and count and i != j:
                shade = "count strong" if share > 0.5 else "count"
                parts.append(svg.text(x + cell / 2 - 0.75, y + cell / 2 + 4, str(count), shade, "middle"))
    size = cell * len(labels)
    return svg.chart(max(left + size + 60, 440.0), top + size + 8, "Labels that come together", parts)
