"""Which labels are taken for which: a matrix where labels are few, a list of pairs where they are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from earmark.evaluation.report import numbers, svg

MOST_WITH_COUNTS = 20
MOST_DRAWN = 60

Matrix = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Pair:
    """Clips of one label that were taken for another, and the clips of that label."""

    truth: str
    guess: str
    clips: int
    of: int


def pairs(matrix: Matrix, labels: Sequence[str]) -> list[Pair]:
    """All mistaken pairs, the most frequent first."""
    found = [
        Pair(labels[i], labels[j], count, sum(row))
        for i, row in enumerate(matrix)
        for j, count in enumerate(row)
        if i != j and count
    ]
    return sorted(found, key=lambda p: (-p.clips, -p.clips / p.of, p.truth, p.guess))


def draw(matrix: Matrix, labels: Sequence[str], network: str) -> Markup | None:
    """Rows are true labels, columns what was scored first; darker is a larger share of the row."""
    if len(labels) > MOST_DRAWN:
        return None
    few = len(labels) <= MOST_WITH_COUNTS
    cell = max(11.0, min(32.0, 320 / len(labels)))
    left, top = 112.0, 84.0
    size = cell * len(labels)
    parts = []
    for i, row in enumerate(matrix):
        y = top + cell * i
        parts.append(svg.text(left - 8, y + cell / 2 + 4, numbers.shorten(labels[i], 16), "name small", "end"))
        parts.append(_head(left + cell * (i + 0.5), top - 8, numbers.shorten(labels[i], 14)))
        for j, count in enumerate(row):
            share = count / max(1, sum(row))
            told = f"{labels[i]} taken for {labels[j]}: {count} of {sum(row)} clips"
            kind = "cell right" if i == j else "cell wrong"
            x = left + cell * j
            parts.append(svg.rect(x, y, cell - 1.5, cell - 1.5, "cell empty"))
            if count:
                opacity = f"{0.12 + 0.88 * share:.2f}"
                parts.append(svg.rect(x, y, cell - 1.5, cell - 1.5, kind, told, fill_opacity=opacity))
            if count and few:
                shade = "count strong" if share > 0.45 else "count"
                parts.append(svg.text(x + cell / 2 - 0.75, y + cell / 2 + 4, str(count), shade, "middle"))
    right = sum(matrix[i][i] for i in range(len(labels)))
    total = sum(map(sum, matrix))
    told = f"Confusion matrix of {network}: {right} of {total} clips on the diagonal"
    width = max(left + size + 24, 440.0)
    parts.append(svg.text(left, top + size + 16, "scored first  →", "caption"))
    parts.append(svg.text(left - 8, top - 8, "true label  ↓", "caption", "end"))
    return svg.chart(width, top + size + 24, told, parts, "chart" if few else "chart wide")


def _head(x: float, y: float, label: str) -> Markup:
    turned = f"translate({x:.1f} {y:.1f}) rotate(-45)"
    return svg.tag("text", label, transform=turned, class_="name small")
