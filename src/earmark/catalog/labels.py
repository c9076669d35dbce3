"""The labels of a data set: index, id, name and how many clips claim them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Label:
    """``id`` is what the data's list of labels says (an Audio Set mid), else the name; ``count`` in clips."""

    index: int
    id: str
    name: str
    count: int

    def to_json(self) -> dict[str, Any]:
        """As in ``labels.json``."""
        return asdict(self)


def index_labels(
    claimed: Sequence[tuple[str, ...]], declared: Sequence[tuple[str, str]] | None
) -> tuple[list[Label], list[list[int]], list[list[str]]]:
    """Number the labels and translate each clip's.

    Args:
        claimed: each clip's labels, by name or id.
        declared: the (id, name) of every label there is, in order; None lets the clips say.

    Returns:
        The labels that at least one clip claims, in the declared order or sorted by name; each clip's label indices,
        ascending; and each clip's labels that are not declared.
    """
    counts = Counter(label for labels in claimed for label in labels)
    pairs = declared if declared is not None else [(name, name) for name in sorted(counts)]
    used = [pair for pair in pairs if counts[pair[0]] or counts[pair[1]]]
    index = {text: at for at, pair in enumerate(used) for text in pair}
    indices = [sorted({index[label] for label in labels if label in index}) for labels in claimed]
    none: list[str] = []  # one for all clips: few have any
    unknown = [[label for label in labels if label not in index] or none for labels in claimed]
    clips = Counter(at for found in indices for at in found)
    labels = [Label(at, identity, name, clips[at]) for at, (identity, name) in enumerate(used)]
    return labels, indices, unknown
