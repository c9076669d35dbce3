"""Stored embeddings as training and evaluation read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.catalog import Clip
from earmark.catalog.content import column
from earmark.errors import UserError
from earmark.store import Manifest, Store
from earmark.store.tables import read_table
from earmark.transfer.embed import INDEX, SHARD


@dataclass(frozen=True)
class Windows:
    """The windows of some clips, in the clips' order.

    Attributes:
        e_PE: their embeddings, float32.
        clip_P: which clip each is of.
    """

    e_PE: NDArray[np.float32]
    clip_P: NDArray[np.int64]

    @property
    def first_N(self) -> NDArray[np.int64]:  # noqa: N802  (a shape)
        """The first window of each clip."""
        return np.flatnonzero(np.diff(self.clip_P, prepend=-1))

    def mean(self, values_PX: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mean over each clip's windows, (N, X)."""
        means = [part_PX.mean(axis=0) for part_PX in np.split(values_PX, self.first_N[1:])]
        return np.stack(means) if len(self.clip_P) else values_PX


class Embeddings:
    """What ``embed_dataset`` wrote; shards are mapped into memory, nothing is read until it is asked for.

    Raises:
        CorruptObject: a shard's bytes are not those that were written.
    """

    def __init__(self, store: Store, embedded: Manifest) -> None:
        self.size: int = embedded.facts["size"]
        index = read_table(embedded.files[INDEX].read(store))
        columns = (column(index, name) for name in ("clip_key", "shard", "first_row", "rows"))
        self._places = {key: place for key, *place in zip(*columns, strict=True)}
        count = sum(name != INDEX for name in embedded.files)
        paths = [embedded.files[SHARD.format(number)].local(store) for number in range(count)]
        self._shards = [np.memmap(path, np.float32, "r").reshape(-1, self.size) for path in paths]

    def clip(self, key: str) -> NDArray[np.float32]:
        """The embeddings of a clip's windows, (P, E), a view.

        Raises:
            UserError: it was not embedded.
        """
        if key not in self._places:
            raise UserError("a clip of the dataset has no embeddings here: embed this dataset")
        shard, first_row, rows = self._places[key]
        return np.asarray(self._shards[shard][first_row : first_row + rows])

    def windows(self, clips: Sequence[Clip]) -> Windows:
        """All windows of clips, copied into memory."""
        found = [self.clip(clip.clip_key) for clip in clips]
        count_N = np.array([len(e_PE) for e_PE in found], np.int64)
        e_PE = np.concatenate([np.empty((0, self.size), np.float32), *found])
        return Windows(e_PE, np.repeat(np.arange(len(clips)), count_N))
