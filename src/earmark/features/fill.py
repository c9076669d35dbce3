"""Planned parts filled: each clip decoded once, its frames and its facts stored; parts that are there stay."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from earmark.config import FeatureSpec
from earmark.errors import UserError
from earmark.features.clip import ClipFacts, frames_of_segments
from earmark.features.plan import Planned
from earmark.features.shards import Parts, Wanted
from earmark.progress import Progress
from earmark.store import MissingObject, Store, each

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
    with ThreadPoolExecutor(_cores() + root.transfers - 1, "extract") as pool:
        for name in [name for name in planned if name not in tables]:
            tables[name] = parts.write(name, list(_decoded(planned[name], root, parts.spec, pool, meter)))
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


def _decoded(
    clips: Iterable[Wanted], root: Store, spec: FeatureSpec, pool: ThreadPoolExecutor, meter: _Meter
) -> Iterator[Extracted]:
    """Frames and facts of clips, in order, a file a thread: decoders, resampler and transform work without the GIL."""
    files = [list(segments) for _, segments in groupby(clips, key=lambda clip: clip.sha256)]
    try:
        for extracted in pool.map(lambda segments: _file(root, segments, spec), files):
            for clip in extracted:
                meter.count(clip[2])
                yield clip
    except BaseException:  # also Ctrl-C: what has not begun is not waited for
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _file(root: Store, segments: list[Wanted], spec: FeatureSpec) -> list[Extracted]:
    """All clips of one file, which is read and decoded once."""
    first = segments[0]
    try:
        data = root.get(first.uri)
    except MissingObject:
        data = None
    if data is None or hashlib.sha256(data).hexdigest() != first.sha256:
        what = "is gone" if data is None else "has changed"
        raise UserError(f"{first.uri} in {root.uri} {what} since the catalog was built: run the same command again")
    found = frames_of_segments(data, spec, [(clip.start_s, clip.end_s) for clip in segments])
    return [(clip.clip_key, frames_TF, facts) for clip, (frames_TF, facts) in zip(segments, found, strict=True)]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
