"""How things are timed: the candidates take turns, a ratio is of two times of the same round, the median counts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Work = Callable[[], Any]
Times = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Figure:
    """One measured figure, a value each round."""

    name: str
    """Stable, lower case, subject/what/peer: "features/ogg/torchaudio". Stored results are compared by it."""
    title: str
    """What a reader sees: "Ogg Vorbis to patches, one core"."""
    values: tuple[float, ...]
    """One a round; the median is the figure, the smallest and the largest are its spread."""
    unit: str
    """"x" for a ratio to the peer of the same round, else "s", "MiB", "patches/s", …"""
    better: Literal["more", "less"]
    peer: str = ""
    """What a ratio is to."""
    goal: int = 0
    """Number of the goal that the figure answers (benchmarks/goals.py); 0 for none."""
    floor: float | None = None
    """Worst value that is acceptable on any machine, or None."""
    wanted: float | None = None
    """The goal itself, or None."""
    note: str = ""
    """The absolute figure beside a ratio, or what the machine lacks: "1,050 times real time"."""

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)


def interleaved(
    works: Mapping[str, Work], rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[str, list[float]]:
    """Seconds of each work in each round; in a round each has its turn, the first of them another in each round.

    Args:
        works: by name; each is called once more before the first round, untimed.
        rounds: how often each is timed.
        clock: processor time of this process, or ``time.perf_counter`` where several threads or the disk count.
    """
    names = list(works)
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in names}
    for round_ in range(rounds):
        for name in names[round_ % len(names) :] + names[: round_ % len(names)]:
            started = clock()
            works[name]()
            times[name].append(clock() - started)
    return times


def ratios(times: Times, peer: str, ours: str = "earmark") -> tuple[float, ...]:
    """How many times as long the peer took, round by round."""
    return tuple(theirs / own for theirs, own in zip(times[peer], times[ours], strict=True))
