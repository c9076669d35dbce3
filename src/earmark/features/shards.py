"""The features of one ``FeatureSpec`` in a store: parts of about 32 MB, shared by every result that needs their clips.

A part is a shard (a plain matrix of frames, clip after clip) and a table of its clips, written after it: the table is
the commit, and names the shard with its sha256. What a part is called follows from the clips planned for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from earmark.config import FeatureSpec, digest
from earmark.errors import UserError
from earmark.features.clip import ClipFacts
from earmark.features.segments import LONG_BYTES, PASSED_SUFFIXES, WHOLE, Segment
from earmark.features.spec import HOP, MEL_BANDS, SAMPLE_RATE
from earmark.store import FileRef, Store
from earmark.store.tables import read_table, write_table

EPOCH = 3
"""Raised when this room's code changes what it would store; kept features of another epoch are left alone."""
SHARD_BYTES = 32_000_000
"""Size at which a part is full: objects of 16 to 64 MB travel at line rate, larger ones only cost on a retry."""
UNKNOWN_SECONDS = 10.0
"""What a clip that claims no duration is planned as."""
SHARD_KEY = b"earmark.shard"

FACTS_FIELDS: list[pa.Field[Any]] = [
    pa.field("clip_key", pa.string()),
    pa.field("sound_sha256", pa.string()),
    pa.field("seconds", pa.float64()),
    pa.field("rate", pa.int32()),
    pa.field("channels", pa.int32()),
    pa.field("peak", pa.float64()),
    pa.field("clipped_share", pa.float64()),
    pa.field("finite", pa.bool_()),
    pa.field("reason", pa.string()),
]
PART_SCHEMA = pa.schema([*FACTS_FIELDS, pa.field("first_row", pa.int64()), pa.field("rows", pa.int32())])


@dataclass(frozen=True, slots=True)
class Wanted:
    """A clip whose features a catalog needs; size (in bytes) and mark are those that its file had then, if known."""

    clip_key: str
    uri: str
    sha256: str
    start_s: float | None
    end_s: float | None
    claimed_seconds: float | None
    size: int | None = None
    mark: str | None = None

    @property
    def segment(self) -> Segment:
        """Its start and end in seconds."""
        return self.start_s, self.end_s

    @property
    def apart(self) -> bool:
        """Whether it most likely costs no more alone than with the other segments of its file."""
        long = self.size is not None and self.size >= LONG_BYTES
        return long and self.segment != WHOLE and not self.uri.lower().endswith(PASSED_SUFFIXES)

    def stored_bytes(self, spec: FeatureSpec) -> float:
        """About how much the clip's frames will take, by what it claims."""
        end_s = self.claimed_seconds if self.claimed_seconds is not None else UNKNOWN_SECONDS
        seconds = max(0.0, (end_s if self.end_s is None else self.end_s) - (self.start_s or 0.0))
        return seconds * SAMPLE_RATE / HOP * MEL_BANDS * np.dtype(spec.storage).itemsize


def group_clips(clips: Iterable[Wanted], spec: FeatureSpec, partitions: int = 1) -> Iterator[list[Wanted]]:
    """Clips in order, in groups of about ``SHARD_BYTES``, or of less where there would not be one for each partition.

    Segments of one file stay neighbours, to be decoded once; only ``SHARD_BYTES`` ends a group between them, unless
    the file is so long that each is cut out of it by itself.
    """
    ordered = sorted(clips, key=lambda c: (c.sha256, c.start_s or 0.0, c.end_s or 0.0))
    share = max(1.0, sum(clip.stored_bytes(spec) for clip in ordered) / partitions)
    group: list[Wanted] = []
    size = 0.0
    for clip in ordered:
        if partitions > 1 and size >= share and (clip.apart or clip.sha256 != group[-1].sha256):
            yield group
            group, size = [], 0.0
        group.append(clip)
        size += clip.stored_bytes(spec)
        if size >= SHARD_BYTES:
            yield group
            group, size = [], 0.0
    if group:
        yield group


def part_name(clips: Sequence[Wanted]) -> str:
    """What the part of those clips is called."""
    return digest([clip.clip_key for clip in clips])


class Parts:
    """The parts of one spec in a store."""

    def __init__(self, store: Store, spec: FeatureSpec) -> None:
        self.store, self.spec = store, spec
        self.folder = f"features/{digest({'epoch': EPOCH, 'spec': spec.model_dump()})}"

    def names(self) -> list[str]:
        """Names of the committed parts, sorted."""
        keys = (info.key.rpartition("/")[2] for info in self.store.list(self.folder + "/"))
        return sorted(key.removesuffix(".parquet") for key in keys if key.endswith(".parquet"))

    def read(self, name: str) -> pa.Table | None:
        """The clips of a part, None if it is not there whole: then it is to be made anew."""
        key = self._key(name)
        if self.store.head(key) is None:
            return None
        try:
            table = read_table(self.store.get(key))
            shard = shard_of(table)
        except (UserError, ValueError):
            shard, table = None, None
        if shard is not None and table is not None:
            head = self.store.head(shard.object)
            table = table if head is not None and head.size == shard.size else None
        if table is None:
            self.store.delete(key)
        return table

    def write(self, name: str, clips: Sequence[tuple[str, NDArray[Any], ClipFacts]]) -> pa.Table:
        """Store the frames and facts of clips as a part; the table last, and the first one stays."""
        rows = [len(frames_TF) for _, frames_TF, _ in clips]
        columns = [{"clip_key": key, **asdict(facts)} for key, _, facts in clips]
        first_rows = np.cumsum([0, *rows])[:-1]
        for column, first_row, count in zip(columns, first_rows.tolist(), rows, strict=True):
            column.update(first_row=first_row, rows=count)
        data = b"".join(frames_TF.tobytes() for _, frames_TF, _ in clips)
        table = pa.Table.from_pylist(columns, schema=PART_SCHEMA)
        if data:
            sha256 = hashlib.sha256(data).hexdigest()
            shard = FileRef(f"{self.folder}/{name}-{sha256[:12]}.frames", len(data), sha256)
            self.store.put(shard.object, data)
            table = table.replace_schema_metadata({SHARD_KEY: json.dumps(asdict(shard), sort_keys=True)})
        self.store.put_new(self._key(name), write_table(table))
        return read_table(self.store.get(self._key(name)))

    def _key(self, name: str) -> str:
        return f"{self.folder}/{name}.parquet"


def shard_of(table: pa.Table) -> FileRef | None:
    """The shard that a part's table names, None where none of its clips has frames."""
    text = (table.schema.metadata or {}).get(SHARD_KEY)
    return FileRef(**json.loads(text)) if text else None
