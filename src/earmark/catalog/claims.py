"""What an adapter reads out of a data set: one entry a clip in every column, nothing opened, nothing believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any

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
NO_FILE = "no file"
"""Why a listed clip is dropped where the data set need not be whole."""
COLUMNS = ("clip_ids", "uris", "labels", "starts", "ends", "splits", "folds", "groups", "places")


@dataclass(frozen=True)
class Claims:
    """Columns of equal length, and what the whole data set says.

    Attributes:
        source: name of the form that was read (``folders``, ``csv``, ``audioset``, …).
        clip_ids: path relative to the data root; ``#start-end`` follows for a segment, ``@line`` for a repeated row.
        uris: key of the file in the data root; a key that is not there is a missing file.
        labels: names (or ids) as written, without repeats.
        starts, ends: seconds; None is the file's own start or end.
        splits: ``train``, ``validation`` or ``test``, all given or all None.
        folds: names of folds, all given or all None.
        groups: clips that must stay in one split together; None where the data says nothing.
        declared: (id, name) of every label there is, in order; None lets the clips say.
        dropped: how many listed clips are not among these, by reason.
        dropped_labels: how many clips claim a label that is not used (abstract, restricted, not declared), by label.
        coverage: of each label by name, how many of its listed clips are there and how many are listed; empty where
            the data set is expected to be whole.
        places: where each clip is listed (``esc50.csv line 12``), empty where nothing lists them.
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
    declared: list[tuple[str, str]] | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    coverage: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    dropped_labels: Mapping[str, int] = field(default_factory=dict)

    def only(self, keep: Sequence[bool], reason: str) -> Claims:
        """These claims with some of the clips; the others are counted in ``dropped``, if there are any."""
        gone = len(keep) - sum(keep)
        if not gone:
            return self
        columns: dict[str, Any] = {name: list(compress(getattr(self, name), keep)) for name in COLUMNS}
        dropped = {**self.dropped, reason: self.dropped.get(reason, 0) + gone}
        return replace(self, **columns, dropped=dropped)
