"""What a study is made of: its table beside the paper's, and its charts; plain values, as the report takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Cell:
    """A figure (or a word), and its interval in small print."""

    figure: str
    span: str = ""


@dataclass(frozen=True)
class Series:
    """A line of a chart: (x, value, low, high), the ends None where there is no interval."""

    name: str
    points: Sequence[tuple[float, float, float | None, float | None]]


@dataclass(frozen=True)
class Chart:
    """A drawing of lines; ``log_x`` spaces equal factors of x alike."""

    title: str
    x_title: str
    y_title: str
    series: Sequence[Series]
    log_x: bool = False


@dataclass(frozen=True)
class Study:
    """What the variants were compared for: rows in the order in which they were asked for, the paper's beside them."""

    title: str
    intro: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    """A row a variant; the first ``words`` cells are words, the others figures."""
    caption: str
    words: int = 1
    paper_title: str = ""
    paper_columns: Sequence[str] = ()
    paper_rows: Sequence[Sequence[str]] = ()
    charts: Sequence[Chart] = ()

    def to_json(self) -> dict[str, Any]:
        """The tables as JSON takes them; what the charts show is in the curves and scores of the networks."""
        values = asdict(self)
        del values["charts"]
        return values
