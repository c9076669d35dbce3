"""Frames whose shards are on their way to this node: read by range meanwhile, mapped once whole and checked.

What is gathered is the same bytes either way, so training begins with its first batch. What needs a whole shard (a
clip's view) waits for it, and what needs them all (how silent each patch is) waits for all.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.config import FeatureSpec
from earmark.features.frames import FrameStore, map_shard
from earmark.features.spec import MEL_BANDS, PATCH_FRAMES
from earmark.store import FileRef, Store

SHARDS_AT_ONCE = 4
"""Fetched side by side; each in parts, several of them at once."""
READS_AT_ONCE = 8
"""Range reads side by side."""


class Arriving:
    """Shards that are being fetched, in order, by threads that a process which ends does not wait for.

    Attributes:
        frames: each shard, (rows, 64), None until it is whole and checked.
        paths: where each shard lies on this node, likewise.
    """

    def __init__(self, store: Store, shards: Sequence[FileRef], storage: str) -> None:
        self._store, self._shards, self._storage = store, shards, storage
        self.frames: list[NDArray[Any] | None] = [None for _ in shards]
        self.paths: list[Path | None] = [None for _ in shards]
        self._waiting = deque(range(len(shards)))
        self._there = [threading.Event() for _ in shards]
        self._failed: BaseException | None = None
        self._readers = ThreadPoolExecutor(READS_AT_ONCE, "ranges")
        for _ in range(min(SHARDS_AT_ONCE, len(shards))):
            threading.Thread(target=self._fetch, name="shards", daemon=True).start()

    def check(self) -> None:
        """Raise what went wrong with any shard, also with one that nobody has asked for yet.

        Raises:
            CorruptObject: its bytes are not those that were written.
            EarmarkError: it could not be fetched.
        """
        if self._failed is not None:
            raise self._failed

    def wait(self, shard: int) -> NDArray[Any]:
        """The frames of a shard, once they are there; raises as :meth:`check`."""
        self._there[shard].wait()
        self.check()
        frames_RF = self.frames[shard]
        assert frames_RF is not None
        return frames_RF

    def read(self, shard_B: Sequence[int], row_B: Sequence[int]) -> list[NDArray[Any]]:
        """The patches that start at those rows of those shards, flat, straight from the store, several at once."""

        def patch(shard: int, row: int) -> NDArray[Any]:
            row_bytes = MEL_BANDS * np.dtype(self._storage).itemsize
            data = self._store.part(self._shards[shard].object, row * row_bytes, PATCH_FRAMES * row_bytes)
            return np.frombuffer(data, self._storage)

        return list(self._readers.map(patch, shard_B, row_B))

    def rows(self, shard: int) -> int:
        """How many rows a shard has."""
        return self._shards[shard].size // (MEL_BANDS * np.dtype(self._storage).itemsize)

    def stop(self) -> None:
        """Fetch no more than is under way."""
        self._waiting.clear()
        self._readers.shutdown(wait=False, cancel_futures=True)

    def _fetch(self) -> None:
        while True:
            try:
                shard = self._waiting.popleft()
            except IndexError:
                return
            try:
                path = self._shards[shard].local(self._store)
                self.paths[shard], self.frames[shard] = path, map_shard(path, self._storage)
                self._there[shard].set()
            except BaseException as error:
                self._failed = self._failed or error
                self._waiting.clear()
                for there in self._there:
                    there.set()


class ArrivingFrames(FrameStore):
    """A :class:`FrameStore` that can be read while its shards arrive, and is a plain one from then on."""

    def __init__(self, store: Store, shards: Sequence[FileRef], spec: FeatureSpec) -> None:
        self.spec, self._count = spec, len(shards)
        self._arriving: Arriving | None = Arriving(store, shards, spec.storage)
        weakref.finalize(self, self._arriving.stop)

    @cached_property
    def shards(self) -> list[NDArray[Any]]:  # type: ignore[override]
        """Every shard, once all are there."""
        assert self._arriving is not None
        return [self._arriving.wait(shard) for shard in range(self._count)]

    def expect(self, shard_B: NDArray[np.integer[Any]], row_B: NDArray[np.integer[Any]]) -> None:
        """As there; what has only just been fetched needs no hint."""
        if self._arriving is None:
            super().expect(shard_B, row_B)

    def gather(self, shard_B: NDArray[np.integer[Any]], row_B: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """As there; patches of shards that have not arrived are read from the store by their bytes."""
        arriving = self._settled()
        if arriving is None:
            return super().gather(shard_B, row_B)
        x_BX = np.empty((len(row_B), PATCH_FRAMES * MEL_BANDS), self.spec.storage)
        away: list[tuple[int, int, int]] = []
        for at, (shard, row) in enumerate(zip(shard_B.tolist(), row_B.tolist(), strict=True)):
            if not 0 <= row <= arriving.rows(shard) - PATCH_FRAMES:
                raise IndexError(f"no patch starts at row {row} of shard {shard}")
            frames_RF = arriving.frames[shard]
            if frames_RF is None:
                away.append((at, shard, row))
            else:
                x_BX[at] = frames_RF[row : row + PATCH_FRAMES].reshape(-1)
        if away:
            ats, shards, rows = zip(*away, strict=True)
            for at, x_X in zip(ats, arriving.read(shards, rows), strict=True):
                x_BX[at] = x_X
        return x_BX.reshape(len(row_B), PATCH_FRAMES, MEL_BANDS)

    def clip(self, shard: int, first_row: int, rows: int) -> NDArray[Any]:
        """As there, once the shard has arrived."""
        if self._arriving is None:
            return super().clip(shard, first_row, rows)
        return self._arriving.wait(shard)[first_row : first_row + rows]

    def _settled(self) -> Arriving | None:
        """What is still on its way; None from the moment that all is there, when this becomes a plain one."""
        arriving = self._arriving
        if arriving is not None:
            arriving.check()
            frames = [frames_RF for frames_RF in arriving.frames if frames_RF is not None]
            if len(frames) == self._count:
                super().__init__(frames, self.spec, [path for path in arriving.paths if path is not None])
                self._arriving = arriving = None
        return arriving
