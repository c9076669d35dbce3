"""Made-up frames as training reads them: shards in files, and clips of one label each, stored label by label."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from earmark.config import FeatureSpec
from earmark.features import MEL_BANDS, PATCH_FRAMES, FrameStore
from earmark.features.frames import map_shard

BATCH = 128


def write_shards(folder: Path, storage: str, shards: int, rows: int) -> list[Path]:
    """So many shards of frames: a block of random ones again and again."""
    block_RF = np.random.default_rng(0).integers(0, 255, (50_000, MEL_BANDS), dtype=np.uint8).astype(storage)
    paths = [folder / f"{storage}-{shards}-{number}" for number in range(shards)]
    for path in paths:
        with path.open("wb") as file:
            for begun in range(0, rows, len(block_RF)):
                file.write(block_RF[: rows - begun].tobytes())
    return paths


def mapped(paths: list[Path], storage: str) -> FrameStore:
    """Shards as training has them."""
    return FrameStore(
        [map_shard(path, storage) for path in paths], FeatureSpec.model_validate({"storage": storage}), paths
    )


@dataclass(frozen=True)
class Clip:
    """What batches read of a clip."""

    labels: tuple[int, ...]
    shard: int
    first_row: int
    rows: int


class Corpus:
    """A dataset all of whose clips are for training, in the one shard of a store; ``Batches`` reads no more of one."""

    def __init__(self, frames: FrameStore, n_labels: int, clip_rows: int) -> None:
        self.frames, self.labels = frames, [str(label) for label in range(n_labels)]
        count = len(frames.shards[0]) // clip_rows
        self._clips = [Clip((clip * n_labels // count,), 0, clip * clip_rows, clip_rows) for clip in range(count)]

    def clips(self, _split: str) -> Any:
        return self._clips


def patch_bytes(storage: str) -> int:
    """Size of a stored patch."""
    return PATCH_FRAMES * MEL_BANDS * np.dtype(storage).itemsize
