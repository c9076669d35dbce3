"""Stored frames as one logical array: patches are 96-row views over memory-mapped shards, gathered by the batch."""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.config import FeatureSpec
from earmark.features.quantise import silent_frames
from earmark.features.spec import MEL_BANDS, PATCH_FRAMES
from earmark.store import Manifest, Store

SHARD_NAME = re.compile(r"shard-(\d+)")


class FrameStore:
    """The shards of a ``patches`` result, mapped into memory: nothing is read until it is asked for.

    Attributes:
        spec: how the frames were made and are stored.
        shards: one (rows, 64) array of the stored precision a shard, numbered as in the index.
    """

    def __init__(self, shards: list[NDArray[Any]], spec: FeatureSpec, paths: Sequence[Path] = ()) -> None:
        self.spec = spec
        self.shards = shards
        self._last_row_S = np.array([len(shard) - PATCH_FRAMES for shard in shards], np.int64)
        self._patches_NX, self._first_S = _patch_view(shards)
        self._files = [os.open(path, os.O_RDONLY) for path in paths] if hasattr(os, "posix_fadvise") else []
        weakref.finalize(self, _close, self._files)

    @staticmethod
    def open(store: Store, patches: Manifest) -> FrameStore:
        """Map the shards that the manifest names, each checked against its sha256 once.

        From an object store they come to this node's cache by threads, and can be read meanwhile; what goes wrong with
        one of them is raised by whatever is asked next.

        Raises:
            CorruptObject: a shard's bytes are not those that were written; names it and the remedy.
        """
        spec = FeatureSpec.model_validate(patches.facts["spec"])
        found = (SHARD_NAME.fullmatch(name) for name in patches.files)
        names = [match.group() for match in sorted(filter(None, found), key=lambda match: int(match[1]))]
        refs = [patches.files[name] for name in names]
        if store.transfers > 1:
            from earmark.features.arriving import ArrivingFrames

            return ArrivingFrames(store, refs, spec)
        paths = [ref.local(store) for ref in refs]
        return FrameStore([map_shard(path, spec.storage) for path in paths], spec, paths)

    def expect(self, shard_B: NDArray[np.integer[Any]], row_B: NDArray[np.integer[Any]]) -> None:
        """Tell the system that these patches will be gathered soon, so that it reads them from the disk by then.

        A page that is missing when it is gathered costs a read of its own, one after another; reads that were asked
        for before are in flight together, which is as fast as the disk. Nothing happens where shards are no files or
        the platform takes no such hints.
        """
        if not self._files:
            return
        row_bytes = MEL_BANDS * np.dtype(self.spec.storage).itemsize
        for shard, row in zip(shard_B.tolist(), row_B.tolist(), strict=True):
            os.posix_fadvise(self._files[shard], row * row_bytes, PATCH_FRAMES * row_bytes, os.POSIX_FADV_WILLNEED)

    def gather(self, shard_B: NDArray[np.integer[Any]], row_B: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """The patches that start at those rows of those shards: (B, 96, 64) in the stored precision, a copy."""
        nowhere_B = (row_B < 0) | (row_B > self._last_row_S[shard_B])
        if nowhere_B.any():
            at = int(nowhere_B.argmax())
            raise IndexError(f"no patch starts at row {row_B[at]} of shard {shard_B[at]}")
        x_BX: NDArray[Any] = self._patches_NX[self._first_S[shard_B] + row_B * MEL_BANDS]
        return x_BX.reshape(len(row_B), PATCH_FRAMES, MEL_BANDS)

    def clip(self, shard: int, first_row: int, rows: int) -> NDArray[Any]:
        """The frames of one clip, (T, 64) in the stored precision, a view."""
        return self.shards[shard][first_row : first_row + rows]

    def silent_share(self, shard: int, first_row: int, rows: int) -> NDArray[np.float32]:
        """Share of digitally silent frames, 0 to 1, in the patch at each of a clip's possible starts: (rows - 95,)."""
        silent_T = silent_frames(self.clip(shard, first_row, rows), self.spec)
        before = np.concatenate([[0], np.cumsum(silent_T)])
        share_S: NDArray[np.float32] = (before[PATCH_FRAMES:] - before[:-PATCH_FRAMES]).astype(
            np.float32
        ) / PATCH_FRAMES
        return share_S


def map_shard(path: Path, storage: str) -> NDArray[Any]:
    """The frames in a shard's file, (rows, 64), read from the disk where they are looked at."""
    return np.asarray(np.memmap(path, dtype=storage, mode="r").reshape(-1, MEL_BANDS))


def _patch_view(shards: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """A view with a flat patch at every element of memory from the first shard to the last, and where each begins.

    So numpy gathers a batch from all shards in one call. What lies between the shards is not theirs, nor is a patch
    that runs over the end of one: whoever looks must know the rows.
    """
    if not shards:
        return np.empty((0, PATCH_FRAMES * MEL_BANDS)), np.empty(0, np.int64)
    dtype = shards[0].dtype
    assert all(shard.dtype == dtype and shard.flags.c_contiguous and shard.flags.aligned for shard in shards)
    lowest, itemsize = min(shards, key=_address), dtype.itemsize
    first_S = np.array([(_address(shard) - _address(lowest)) // itemsize for shard in shards])
    last = max(int(first) + shard.size for first, shard in zip(first_S, shards, strict=True))
    shape = (max(0, last - PATCH_FRAMES * MEL_BANDS + 1), PATCH_FRAMES * MEL_BANDS)
    view: NDArray[Any] = np.lib.stride_tricks.as_strided(lowest, shape, (itemsize, itemsize), writeable=False)
    return view, first_S


def _address(shard: NDArray[Any]) -> int:
    return int(shard.ctypes.data)


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)
