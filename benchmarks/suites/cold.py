"""Batches of patches at random from a disk, none of which is in memory: by our loader, a plain memory map, and others.

Each way reads its own part of an epoch in each round, from the folder where a node keeps its copies. How much of a
disk's sequential rate can be had in pieces of a patch's size is the disk's business: the best that a reader without
our loader gets, many requests in flight and nothing done with the bytes, is measured beside it.
"""

from __future__ import annotations

import mmap
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Figure
from benchmarks.stored import BATCH, Corpus, mapped, patch_bytes, write_shards
from earmark.config import make_config
from earmark.features import PATCH_FRAMES
from earmark.store.cache import cache_folder
from earmark.training.batches import HINTED_PATCHES, Ahead, Batches

TITLE = "Random batches from a disk, against its sequential rate"
READERS = 64
"""Threads of the readers without a cache."""
READ_BYTES = 64 << 20
"""What each way reads in a turn, except the plain memory map, which would take minutes."""
MAPPED_BATCHES = 2
FLOOR, WANTED = 0.6, 0.95


class Disk:
    """One file of frames whose pages can be dropped, and the ways to read it; each gives the bytes it read."""

    def __init__(self, path: Path, storage: str) -> None:
        self.path, self.size, self.bytes = path, path.stat().st_size, patch_bytes(storage)
        self.file, self.direct = os.open(path, os.O_RDONLY), os.open(path, os.O_RDONLY | os.O_DIRECT)
        self.storage, self.rng = storage, np.random.default_rng(0)
        clip_rows = 10 * PATCH_FRAMES
        config = make_config("paper", {"train": {"steps": 1, "max_silent_share": 1.0}})
        data: Any = Corpus(mapped([path], storage), 10, clip_rows)
        self.batches = Batches(data, config)
        self.step = 0

    def seconds(self, way: Callable[[], int]) -> float:
        """Time of a way for a byte, nothing of the file being in memory before."""
        os.posix_fadvise(self.file, 0, 0, os.POSIX_FADV_DONTNEED)
        started = time.perf_counter()
        done = way()
        return (time.perf_counter() - started) / done

    def sequential(self) -> int:
        """A stretch of the file from its beginning to its end."""
        buffer, at = mmap.mmap(-1, 8 << 20), int(self.rng.integers(self.size - READ_BYTES)) >> 20 << 20
        for start in range(at, at + READ_BYTES, len(buffer)):
            os.preadv(self.file, [buffer], start)
        return READ_BYTES

    def ours(self) -> int:
        """The loader as training has it, the next steps of the epoch."""
        steps = READ_BYTES // self.bytes // BATCH
        read = 0
        for batch in Ahead(self.batches, pin=False)(self.step, self.step + steps):
            read += batch.x_BTF.nbytes
        self.step += steps
        return read

    def hints(self) -> int:
        """Every patch asked for and waited for, and none looked at."""
        starts = self._starts()
        for start in starts:
            os.posix_fadvise(self.file, start, self.bytes, os.POSIX_FADV_WILLNEED)
        for start in starts[-HINTED_PATCHES:]:
            os.pread(self.file, self.bytes, start)
        return len(starts) * self.bytes

    def threads(self) -> int:
        """Direct reads by many threads."""
        starts, local = self._starts(), threading.local()

        def read(part: list[int]) -> None:
            local.buffer = mmap.mmap(-1, self.bytes)
            for start in part:
                os.preadv(self.direct, [local.buffer], start)

        with ThreadPoolExecutor(READERS) as pool:
            list(pool.map(read, (starts[thread::READERS] for thread in range(READERS))))
        return len(starts) * self.bytes

    def memmap(self) -> int:
        """What a program without hints does."""
        frames = mapped([self.path], self.storage)
        for _ in range(MAPPED_BATCHES):
            frames.gather(np.zeros(BATCH, int), np.array(self._starts()[:BATCH]) // self.bytes * PATCH_FRAMES)
        return MAPPED_BATCHES * BATCH * self.bytes

    def _starts(self) -> list[int]:
        patches = self.size // self.bytes
        drawn = self.rng.choice(patches, min(patches, READ_BYTES // self.bytes), replace=False) * self.bytes
        found: list[int] = drawn.tolist()
        return found


def measure(full: bool) -> Iterator[Figure]:
    """Shares of the sequential rate, and ratios to the best other reader and to the plain memory map."""
    if not hasattr(os, "posix_fadvise") or not hasattr(os, "O_DIRECT"):
        return
    gigabytes, rounds = (4, 15) if full else (1, 5)
    cache_folder().mkdir(parents=True, exist_ok=True)
    for storage in ("uint8", "float16"):
        with tempfile.TemporaryDirectory(prefix="cold-", dir=cache_folder()) as folder:
            rows = (gigabytes << 30) // patch_bytes(storage) * PATCH_FRAMES
            path = write_shards(Path(folder), storage, 1, rows)[0]
            disk = Disk(path, storage)
            os.fsync(disk.file)
            ways = {way.__name__: way for way in (disk.sequential, disk.ours, disk.hints, disk.threads, disk.memmap)}
            names = list(ways)
            times: dict[str, list[float]] = {name: [] for name in names}
            for round_ in range(rounds):
                for name in names[round_ % len(names) :] + names[: round_ % len(names)]:
                    times[name].append(disk.seconds(ways[name]))
            yield from _figures(storage, times)


def _figures(storage: str, times: dict[str, list[float]]) -> Iterator[Figure]:
    best = [min(pair) for pair in zip(times["hints"], times["threads"], strict=True)]
    rate = {name: 1 / statistics.median(seconds) for name, seconds in (*times.items(), ("best", best))}
    patches = {name: f"{each / patch_bytes(storage):,.0f}" for name, each in rate.items()}

    def ratio(peer: list[float]) -> tuple[float, ...]:
        return tuple(theirs / own for theirs, own in zip(peer, times["ours"], strict=True))

    possible = statistics.median(theirs / own for theirs, own in zip(times["sequential"], best, strict=True))
    yield Figure(
        f"cold/{storage}/sequential", f"{storage}, share of the disk's sequential rate", ratio(times["sequential"]),
        "x", "more", "reading the file from start to end", goal=8, floor=FLOOR,
        wanted=WANTED, note=f"{patches['ours']} patches/s of {rate['sequential'] / 1e6:,.0f} MB/s; this disk gives "
        f"pieces of {patch_bytes(storage):,} bytes at {possible:.0%} of it, {patches['best']} a second",
    )  # fmt: skip
    yield Figure(
        f"cold/{storage}/best", f"{storage}, share of what the disk gives in such pieces", ratio(best), "x", "more",
        f"the better of {READERS} threads of direct reads and of hints alone", goal=8, floor=FLOOR, wanted=WANTED,
        note=f"{patches['threads']} and {patches['hints']} patches/s there",
    )  # fmt: skip
    yield Figure(
        f"cold/{storage}/memmap", f"{storage}", ratio(times["memmap"]), "x", "more", "the memory map without hints",
        goal=8, wanted=47.0, note=f"{patches['memmap']} patches/s there",
    )  # fmt: skip
