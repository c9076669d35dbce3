"""How training and evaluation read a dataset: clips by split, targets, and the frames that they lie in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.assemble import evaluated_digest
from earmark.catalog.content import column
from earmark.catalog.splits import SPLITS
from earmark.catalog.subsets import at_least, most_frequent, nested_share
from earmark.config import TrainConfig
from earmark.errors import UserError, unknown_name
from earmark.features import FrameStore
from earmark.store import Manifest, Store
from earmark.store.tables import read_table

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip of a dataset and where its frames lie.

    Attributes:
        clip_id: what people call it.
        clip_key: what its features are kept under.
        uri: key of its file in the data root.
        rows: number of its frames.
        labels: indices, ascending.
        shard, first_row: where its frames start.
        start_s, end_s: the segment of the file, None for its own start or end.
    """

    clip_id: str
    clip_key: str
    uri: str
    rows: int
    labels: tuple[int, ...]
    shard: int
    first_row: int
    start_s: float | None
    end_s: float | None


class Dataset:
    """Clips of a split always come in the order of their keys, however shards lie.

    Attributes:
        labels: names of the labels, by index.
        label_ids: their ids (Audio Set mids where the data has them).
        single_label: whether every clip has exactly one label.
    """

    def __init__(self, table: pa.Table, labels: list[dict[str, Any]], store: Store, patches: Manifest) -> None:
        self.labels: list[str] = [label["name"] for label in labels]
        self.label_ids: list[str] = [label["id"] for label in labels]
        self.single_label: bool = all(len(found) == 1 for found in column(table, "labels"))
        self._table = table
        self._store, self._patches = store, patches

    @staticmethod
    def open(store: Store, dataset: Manifest, patches: Manifest) -> Dataset:
        """Read a dataset and find its clips in the patches; frames are mapped when they are first asked for.

        Raises:
            UserError: the patches are not those that the dataset was assembled from.
            CorruptObject: a file that is not as it was written.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        table = read_table(dataset.files["dataset.parquet"].read(store))
        index = read_table(patches.files["index.parquet"].read(store))
        at = pc.index_in(table["clip_key"], value_set=index["clip_key"].combine_chunks())
        if at.null_count:
            raise UserError(f"{at.null_count} clips of the dataset have no frames in these patches: assemble it again")
        for name in ("shard", "first_row"):
            table = table.append_column(name, index[name].take(at).cast(pa.int64()))
        return Dataset(table, json.loads(dataset.files["labels.json"].read(store)), store, patches)

    @cached_property
    def frames(self) -> FrameStore:
        """The stored frames of all clips, memory-mapped."""
        return FrameStore.open(self._store, self._patches)

    def narrowed(self, labels: int | None) -> Dataset:
        """The same with its so many most frequent labels (by training clips) alone; None has them all.

        Clips that carry none of them are not in it.

        Raises:
            UserError: there are fewer labels.
        """
        import pyarrow as pa

        if labels is None or labels == len(self.labels):
            return self
        if labels > len(self.labels):
            raise UserError(
                f"{labels} labels are asked for (config train.labels or evaluate.labels) and the dataset has "
                f"{len(self.labels)}: give a number of at most {len(self.labels)}"
            )
        kept = most_frequent(column(self._rows("train"), "labels"), len(self.labels), labels)
        new = {label: at for at, label in enumerate(kept)}
        lists = [[new[label] for label in found if label in new] for found in column(self._table, "labels")]
        at = self._table.column_names.index("labels")
        table = self._table.set_column(at, "labels", pa.array(lists, self._table["labels"].type))
        table = table.filter(pa.array([bool(found) for found in lists]))
        told = [{"name": self.labels[label], "id": self.label_ids[label]} for label in kept]
        return self._with(table, told)

    def learned(self, train: TrainConfig) -> Dataset:
        """What a training learns from: its labels, and its share of the training clips; other parts keep theirs.

        Raises:
            UserError: as :meth:`narrowed`.
        """
        import pyarrow as pa

        narrow = self.narrowed(train.labels)
        if train.clip_share == 1.0 and train.clips_per_label is None:
            return narrow
        rows = narrow._rows("train")
        keys, labels = column(rows, "clip_key"), column(rows, "labels")
        if train.clips_per_label is not None:
            chosen_N = at_least(keys, labels, len(narrow.labels), train.clips_per_label)
        else:
            chosen_N = nested_share(keys, labels, len(narrow.labels), train.clip_share)
        left_out = {key for key, chosen in zip(keys, chosen_N, strict=True) if not chosen}
        kept = [key not in left_out for key in column(narrow._table, "clip_key")]
        told = [{"name": name, "id": own} for name, own in zip(narrow.labels, narrow.label_ids, strict=True)]
        return narrow._with(narrow._table.filter(pa.array(kept)), told)

    def _with(self, table: pa.Table, labels: list[dict[str, Any]]) -> Dataset:
        other = Dataset(table, labels, self._store, self._patches)
        other.single_label = self.single_label
        if "frames" in self.__dict__:
            other.__dict__["frames"] = self.frames
        return other

    def clips(self, split: str) -> list[Clip]:
        """The clips of ``train``, ``validation`` or ``test``, in the order of their keys."""
        rows = self._rows(split)
        columns = {name: column(rows, name) for name in Clip.__slots__}
        columns["labels"] = [tuple(labels) for labels in columns["labels"]]
        return [Clip(*values) for values in zip(*columns.values(), strict=True)]

    def targets(self, split: str) -> NDArray[np.float32]:
        """Multi-hot labels of the clips of a split, (N, C), in the order of :meth:`clips`."""
        import pyarrow.compute as pc

        lists = self._rows(split)["labels"]
        y_NC = np.zeros((len(lists), len(self.labels)), np.float32)
        y_NC[pc.list_parent_indices(lists).to_numpy(), pc.list_flatten(lists).to_numpy()] = 1.0
        return y_NC

    def evaluated_digest(self, split: str) -> str:
        """Digest of a split's clips and their labels: scores may be compared only where it is the same."""
        return evaluated_digest(self._table, self.label_ids, split)

    def _rows(self, split: str) -> pa.Table:
        import pyarrow as pa
        import pyarrow.compute as pc

        if split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        return self._table.filter(pc.equal(self._table["split"], pa.scalar(split)))
