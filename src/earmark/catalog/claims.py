"""What an adapter reads out of a data set: one entry a clip in every column, nothing opened, nothing believed."""

from __future__ import annotations

from dataclasses import dataclass

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""How data sets call their splits, in lower case, and what we call them."""


@dataclass(frozen=True)
class Claims:
    """Columns of equal length.

    Attributes:
        source: ``folders`` or ``csv``.
        clip_ids: path relative to the data root; ``#start-end`` follows for a segment, ``@line`` for a repeated row.
        uris: key of the file in the data root; a key that is not there is a missing file.
        labels: names (or ids) as written, without repeats.
        starts, ends: seconds; None is the file's own start or end.
        splits: ``train``, ``validation`` or ``test``, all given or all None.
        folds: names of folds, all given or all None.
        groups: clips that must stay in one split together; None where the data says nothing.
    """

    source: str
    clip_ids: list[str]
    uris: list[str]
    labels: list[tuple[str, ...]]
    starts: list[float | None]
    ends: list[float | None]
    splits: list[str | None]
    folds: list[str | None]
    groups: list[str | None]
