"""Clips as far as splitting looks at them: groups and labels. Letters: N clips, G groups, M (clip, label) pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Grouped:
    """Clips in their groups, with their labels.

    Attributes:
        groups: names of the groups, sorted.
        group_N: each clip's group.
        clip_M, label_M: the (clip, label) pairs, clips ascending.
        labels: names of the labels.
    """

    groups: list[str]
    group_N: Ints
    clip_M: Ints
    label_M: Ints
    labels: list[str]

    @staticmethod
    def of(groups: Sequence[str], labels: Sequence[Sequence[int]], names: Sequence[str]) -> Grouped:
        """From each clip's group, each clip's label indices, and the labels' names."""
        listed = sorted(set(groups))
        code = {group: at for at, group in enumerate(listed)}
        counts = np.fromiter((len(found) for found in labels), np.int64, len(labels))
        label_M = np.fromiter((label for found in labels for label in found), np.int64, int(counts.sum()))
        group_N = np.fromiter((code[group] for group in groups), np.int64, len(groups))
        return Grouped(listed, group_N, np.repeat(np.arange(len(labels)), counts), label_M, list(names))

    @staticmethod
    def of_columns(groups: Any, labels: Any, names: Sequence[str]) -> Grouped:
        """From a table's columns of groups and of lists of label indices: :meth:`of`, without an object a clip."""
        import pyarrow.compute as pc

        named = groups.combine_chunks().dictionary_encode()
        order_G = pc.sort_indices(named.dictionary)
        place_G = np.argsort(order_G.to_numpy())
        counts = pc.list_value_length(labels).to_numpy()
        return Grouped(
            named.dictionary.take(order_G).to_pylist(),
            place_G[named.indices.to_numpy()],
            np.repeat(np.arange(len(counts)), counts),
            pc.list_flatten(labels).to_numpy().astype(np.int64),
            list(names),
        )

    @property
    def single_label(self) -> bool:
        """Whether no clip has two labels."""
        return bool((np.diff(self.clip_M) > 0).all())

    def tied(self, ties: Iterable[tuple[int, int]]) -> Grouped:
        """The same clips with some groups made one: pairs of clips whose groups belong together."""
        root = np.arange(len(self.groups))

        def find(group: int) -> int:
            while root[group] != group:
                root[group] = root[root[group]]
                group = int(root[group])
            return group

        for one, other in ties:
            first, second = sorted((find(int(self.group_N[one])), find(int(self.group_N[other]))))
            root[second] = first
        whole = np.array([find(group) for group in self.group_N.tolist()], np.int64)
        return Grouped(self.groups, whole, self.clip_M, self.label_M, self.labels)

    def only(self, clips_N: Bools) -> Grouped:
        """The same clips with the labels of some of them; the others count in nothing."""
        here = clips_N[self.clip_M]
        return Grouped(self.groups, self.group_N, self.clip_M[here], self.label_M[here], self.labels)

    def members(self, clips_N: Bools, unit_G: Floats) -> list[list[int]]:
        """For each label the groups that hold it among some of the clips, in order of their hash."""
        here = clips_N[self.clip_M]
        pair = np.unique(self.label_M[here] * len(self.groups) + self.group_N[self.clip_M[here]])
        label, group = np.divmod(pair, max(1, len(self.groups)))
        order = np.lexsort((group, unit_G[group], label))
        edges = np.searchsorted(label[order], np.arange(1, len(self.labels)))
        return [part.tolist() for part in np.split(group[order], edges)]
