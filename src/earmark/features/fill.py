"""Planned parts filled: each clip decoded once, its frames and its facts stored; parts that are there stay."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from earmark.config import FeatureSpec
from earmark.features.clip import ClipFacts
from earmark.features.isolated import Workers, cores
from earmark.features.plan import Planned
from earmark.features.segments import LONG_BYTES, WHOLE
from earmark.features.shards import Parts, Wanted
from earmark.features.sources import Sources
from earmark.progress import Progress
from earmark.store import Store, each

READ_AHEAD = 2
"""Files that are read and wait for a worker."""

Extracted = tuple[str, "NDArray[Any]", ClipFacts]


def filled(parts: Parts, planned: Planned) -> dict[str, pa.Table]:
    """Those of the planned parts that are there, by name."""
    read = zip(planned, each(parts.store, parts.read, planned), strict=True)
    return {name: table for name, table in read if table is not None}


def fill(
    parts: Parts, planned: Planned, there: dict[str, pa.Table], root: Store, progress: Progress
) -> dict[str, pa.Table]:
    """Every planned part by name; those that are not there are made now, one after the other.

    Args:
        parts: where they lie.
        planned: their clips.
        there: those that need not be made, and maybe others.
        root: the sounds.
        progress: told how many clips are done, with seconds of sound a second.

    Raises:
        UserError: a file that is no longer what the catalog says.
    """
    tables = {name: there[name] for name in planned if name in there}
    if len(tables) == len(planned):
        return tables
    meter = _Meter(progress, sum(len(planned[name]) for name in tables), sum(map(len, planned.values())))
    sources, count = Sources(root), cores()
    threads = count + max(READ_AHEAD, root.transfers - 1)
    with ThreadPoolExecutor(threads, "extract") as pool, Workers(count) as workers:
        filling = _Filling(sources, workers, parts.spec)
        for name in [name for name in planned if name not in tables]:
            together = _together(planned[name], sources, threads)
            tables[name] = parts.write(name, list(_decoded(together, filling, pool, meter)))
    return tables


@dataclass
class _Meter:
    """Counts what is done, for whoever watches."""

    progress: Progress
    done: int
    total: int
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.started = time.monotonic()
        self.progress.update(self.done, self.total, "clips")

    def count(self, facts: ClipFacts) -> None:
        self.done += 1
        self.seconds += facts.seconds
        elapsed = time.monotonic() - self.started
        self.progress.update(self.done, self.total, "clips", x_real_time=self.seconds / max(elapsed, 1e-9))


@dataclass(frozen=True)
class _Filling:
    """Where clips come from, and who decodes them."""

    sources: Sources
    workers: Workers
    spec: FeatureSpec

    def file(self, clips: list[Wanted]) -> list[Extracted]:
        """Clips of one file: of a long one no more than its segments is decoded, all else is decoded whole, once."""
        first, segments = clips[0], [clip.segment for clip in clips]
        if WHOLE not in segments and (size := self.sources.size(first)) >= LONG_BYTES:
            with self.sources.opened(first) as file:
                found = self.workers.frames(file, size, self.spec, segments)
        else:
            audio = self.sources.whole(first)
            found = self.workers.frames(audio, len(audio), self.spec, segments)
        return [(clip.clip_key, frames_TF, facts) for clip, (frames_TF, facts) in zip(clips, found, strict=True)]


def _decoded(
    together: Iterable[list[Wanted]], filling: _Filling, pool: ThreadPoolExecutor, meter: _Meter
) -> Iterator[Extracted]:
    """Frames and facts of clips, in order; a thread reads each list's file and has a worker decode it."""
    try:
        for extracted in pool.map(filling.file, together):
            for clip in extracted:
                meter.count(clip[2])
                yield clip
    except BaseException:  # also Ctrl-C: what has not begun is not waited for
        pool.shutdown(wait=False, cancel_futures=True)
        filling.workers.close()
        raise


def _together(clips: Iterable[Wanted], sources: Sources, threads: int) -> Iterator[list[Wanted]]:
    """Clips of one file; those that cost no more alone in several pieces, for several threads."""
    for _, same in groupby(clips, key=lambda clip: (clip.sha256, clip.apart)):
        some = list(same)
        apart = some[0].apart and sources.head(some[0], 36)[28:] != b"OpusHead"
        piece = -(-len(some) // threads) if apart else len(some)
        yield from (some[at : at + piece] for at in range(0, len(some), piece))
