"""Measured figures as JSON and Markdown, and what became worse since they were last stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import Figure
from earmark.errors import UserError

LOSS = 0.15
"""A figure that is worse by more than this share is reported as lost: ratios within a run hold to about 0.05."""


@dataclass(frozen=True)
class Results:
    """What one run of the benchmarks found."""

    machine: dict[str, Any]
    full: bool
    figures: list[Figure]
    failed: dict[str, str]
    """Suites without (all of their) figures, and why."""

    def to_json(self) -> str:
        """As it is stored, a figure a line, so that versions can be compared line by line."""
        head = json.dumps({"machine": self.machine, "full": self.full, "failed": self.failed}, indent=1)
        lines = ",\n".join(f"  {json.dumps(asdict(figure))}" for figure in self.figures)
        return f'{head[:-2]},\n "figures": [\n{lines}\n ]\n}}\n'


def read_results(path: Path) -> Results:
    """Results that were written by :meth:`Results.to_json`.

    Raises:
        UserError: the file is not there or is something else.
    """
    try:
        found = json.loads(path.read_text())
        figures = [Figure(**{**figure, "values": tuple(figure["values"])}) for figure in found["figures"]]
        return Results(found["machine"], found["full"], figures, found["failed"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a result of the benchmarks ({error}); give one made by --to or --store") from None


def losses(new: Results, old: Results) -> list[str]:
    """A line for each figure that is more than 15 % worse than before.

    Ratios are compared on any machine, absolute figures only where CPU model, number of cores and GPUs are the same.
    """
    same = all(new.machine[part] == old.machine[part] for part in ("cpu", "cores", "gpus"))
    before = {figure.name: figure for figure in old.figures}
    lines = []
    for figure in new.figures:
        past = before.get(figure.name)
        if past is None or past.unit != figure.unit or (figure.unit != "x" and not same):
            continue
        now, then = figure.value, past.value
        if (now < then * (1 - LOSS)) if figure.better == "more" else (now > then * (1 + LOSS)):
            worse = f"{abs(now / then - 1):.0%}" if then else "no longer nothing"
            lines.append(f"{figure.name}: {number(then)} before, {number(now)} {figure.unit} now ({worse} worse)")
    return lines


def missed_floors(figures: Iterable[Figure]) -> list[str]:
    """A line for each figure that is below what is acceptable."""
    return [
        f"{figure.name}: {number(figure.value)} {figure.unit} now, floor {number(figure.floor)}"
        for figure in figures
        if figure.floor is not None and not _good(figure, figure.floor)
    ]


def gone(new: Results, old: Results) -> list[str]:
    """Names that suites of this run had and have no more."""
    suites, names = {figure.name.split("/")[0] for figure in new.figures}, {figure.name for figure in new.figures}
    return [old_.name for old_ in old.figures if old_.name.split("/")[0] in suites and old_.name not in names]


def figures_table(figures: Sequence[Figure]) -> str:
    """Every figure with its spread, peer, floor and goal, as Markdown."""
    lines = [
        "| figure | median (lowest to highest) | peer | floor | wanted | reached | note |",
        "|---|---|---|--:|--:|---|---|",
    ]
    for figure in figures:
        limits = " | ".join("" if limit is None else number(limit) for limit in (figure.floor, figure.wanted))
        cells = [figure.title, shown(figure), figure.peer, limits, verdict(figure), figure.note]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def shown(figure: Figure) -> str:
    """The median with its unit, and the spread where there were several rounds."""
    gap = "" if figure.unit == "x" else " "
    spread = f" ({number(min(figure.values))} to {number(max(figure.values))})" if len(figure.values) > 1 else ""
    return f"{number(figure.value)}{gap}{figure.unit}{spread}"


def verdict(figure: Figure) -> str:
    """Whether a figure reached what was wanted: "yes", "floor", "no", or "" where nothing was."""
    if figure.floor is not None and not _good(figure, figure.floor):
        return "no"
    if figure.wanted is None:
        return "" if figure.floor is None else "yes"
    return "yes" if _good(figure, figure.wanted) else "floor" if figure.floor is not None else "no"


def number(value: float) -> str:
    """Three digits that count, thousands with commas."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1e}" if 0 < abs(value) < 0.001 else f"{value:.3g}"


def _good(figure: Figure, limit: float) -> bool:
    return figure.value >= limit if figure.better == "more" else figure.value <= limit
