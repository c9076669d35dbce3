"""``extract_features``: each clip decoded once, its frames and its facts stored; what is there is left alone."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from earmark.config import DataConfig, FeatureSpec, canonical_json, result_key
from earmark.config.keys import KEY_LENGTH
from earmark.errors import UserError
from earmark.features.clip import MISSING, SILENT, ClipFacts, amplitude, clip_key, frames_of_segments
from earmark.features.shards import (
    EPOCH,
    FACTS_FIELDS,
    PART_SCHEMA,
    Parts,
    Wanted,
    group_clips,
    part_name,
    shard_of,
)
from earmark.features.spec import PATCH_FRAMES
from earmark.progress import Progress
from earmark.store import Attempt, FileRef, Manifest, MissingObject, Store, each, once, open_store
from earmark.store.tables import read_table, write_table

STEP = "extract_features"
ROWS_A_PIECE = 65_536

Extracted = tuple[str, "NDArray[Any]", ClipFacts]
Planned = dict[str, list[Wanted]]
"""Clips by the name of the part that has or will have them."""


def extract_features(
    store: Store, catalog: Manifest, spec: FeatureSpec, config: DataConfig, progress: Progress
) -> Manifest:
    """Frames and facts of every clip of a catalog.

    Features lie in the store by clip digest and spec, shared by all results: only clips that have none are decoded.
    Writes ``shard-0000`` …, ``index.parquet`` (clip_key, shard, first_row, rows; clips with frames only) and
    ``facts.parquet`` (what decoding found, with the reason where a clip has no frames); the digest is that of the
    content, however the shards lie. A clip that is bad is a row of the facts and never an error.

    Args:
        store: where features and the result go.
        catalog: result of ``build_catalog``.
        spec: how sound becomes frames.
        config: read for ``silence_dbfs`` alone.
        progress: told how many clips are done, with seconds of sound a second.

    Raises:
        UserError: a file that is no longer what the catalog says.
    """
    key = result_key(STEP, EPOCH, [catalog.digest, f"silence_dbfs={config.silence_dbfs}"], {"features": spec})
    manifest = once(store, STEP, key, lambda attempt: _extract(attempt, catalog, spec, config, progress))
    if manifest.reused:
        progress.note(f"all {manifest.facts['clips']} clips have their features: nothing to extract")
    return manifest


def _extract(attempt: Attempt, catalog: Manifest, spec: FeatureSpec, config: DataConfig, progress: Progress) -> None:
    store = attempt.store
    clips = _wanted(store, catalog.check(store))
    parts = Parts(store, spec)
    plan = _planned(attempt, parts, [clip for clip in clips if clip.sha256])
    planned = _by_part(plan, clips)
    tables = _fill(parts, planned, open_store(catalog.facts["data"]), progress)
    found = _found(planned, tables, any(not clip.sha256 for clip in clips), config.silence_dbfs)
    index = _index(found, tables, attempt)
    attempt.put("index.parquet", write_table(index))
    attempt.put("facts.parquet", write_table(found.select([field.name for field in FACTS_FIELDS])))
    attempt.digest = _content_digest(found, spec)
    attempt.facts = {
        "spec": spec.model_dump(),
        "clips": len(clips),
        "extracted": sum(_values(plan, "new")),
        "patches": sum(rows // PATCH_FRAMES for rows in _values(index, "rows")),
        "seconds": sum(_values(found, "seconds")),
        "shards": sum(name.startswith("shard-") for name in attempt.files),
    }


def _wanted(store: Store, catalog: Manifest) -> list[Wanted]:
    """The catalog's clips, one a key (a file under two names is one), in order of their keys; "" for missing files."""
    table = read_table(catalog.files["clips.parquet"].read(store))
    columns = ["uri", "sha256", "start_s", "end_s", "claimed_seconds"]
    by_key: dict[str, Wanted] = {}
    for row in table.select(columns).to_pylist():
        key = clip_key(row["sha256"], row["start_s"], row["end_s"])
        by_key.setdefault(key, Wanted(clip_key=key, **row))
    return [by_key[key] for key in sorted(by_key)]


def _planned(attempt: Attempt, parts: Parts, clips: list[Wanted]) -> pa.Table:
    """Which part has, or will have, each clip: (clip_key, part, new).

    Fixed when this result is first begun, so that a run that was killed and goes on fills the very same parts.
    """
    path = f"{attempt.folder}/plan.parquet"
    while True:
        if attempt.store.head(path) is None:
            attempt.store.put_new(path, write_table(_plan(parts, clips)))
        plan = read_table(attempt.store.get(path))
        used = set(_values(plan.filter(pc.invert(plan["new"])), "part"))
        if all(table is not None for table in each(parts.store, parts.read, sorted(used))):
            return plan
        attempt.store.delete(path)


def _plan(parts: Parts, clips: list[Wanted]) -> pa.Table:
    have: dict[str, str] = {}
    there = parts.names()
    for name, table in zip(there, each(parts.store, parts.read, there), strict=True):
        for key in _values(table, "clip_key") if table is not None else ():
            have.setdefault(key, name)
    rows = [(clip.clip_key, have[clip.clip_key], False) for clip in clips if clip.clip_key in have]
    for group in group_clips((clip for clip in clips if clip.clip_key not in have), parts.spec):
        name = part_name(group)
        rows += [(clip.clip_key, name, True) for clip in group]
    keys, names, new = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {
            "clip_key": pa.array(keys, pa.string()),
            "part": pa.array(names, pa.string()),
            "new": pa.array(new, pa.bool_()),
        }
    )


def _by_part(plan: pa.Table, clips: list[Wanted]) -> Planned:
    by_key = {clip.clip_key: clip for clip in clips}
    planned: Planned = {}
    for key, name in zip(_values(plan, "clip_key"), _values(plan, "part"), strict=True):
        planned.setdefault(name, []).append(by_key[key])
    return planned


def _fill(parts: Parts, planned: Planned, root: Store, progress: Progress) -> dict[str, pa.Table]:
    """Every planned part by name; those that are not there are made now, one after the other."""
    read = zip(planned, each(parts.store, parts.read, planned), strict=True)
    tables = {name: table for name, table in read if table is not None}
    total = sum(map(len, planned.values()))
    if len(tables) == len(planned):
        progress.note(f"all {total} clips have their features: nothing to extract")
        return tables
    meter = _Meter(progress, sum(len(planned[name]) for name in tables), total)
    with ThreadPoolExecutor(_cores() + root.transfers - 1, "extract") as pool:
        for name in [name for name in planned if name not in tables]:
            tables[name] = parts.write(name, list(_decoded(planned[name], root, parts.spec, pool, meter)))
    return tables


@dataclass
class _Meter:
    """Counts what is done, for whoever watches."""

    progress: Progress
    done: int
    total: int
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.started = time.monotonic()
        self.progress.update(self.done, self.total, "clips")

    def count(self, facts: ClipFacts) -> None:
        self.done += 1
        self.seconds += facts.seconds
        elapsed = time.monotonic() - self.started
        self.progress.update(self.done, self.total, "clips", x_real_time=self.seconds / max(elapsed, 1e-9))


def _decoded(
    clips: Iterable[Wanted], root: Store, spec: FeatureSpec, pool: ThreadPoolExecutor, meter: _Meter
) -> Iterator[Extracted]:
    """Frames and facts of clips, in order, a file a thread: decoders, resampler and transform work without the GIL."""
    files = [list(segments) for _, segments in groupby(clips, key=lambda clip: clip.sha256)]
    try:
        for extracted in pool.map(lambda segments: _file(root, segments, spec), files):
            for clip in extracted:
                meter.count(clip[2])
                yield clip
    except BaseException:  # also Ctrl-C: what has not begun is not waited for
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _file(root: Store, segments: list[Wanted], spec: FeatureSpec) -> list[Extracted]:
    """All clips of one file, which is read and decoded once."""
    first = segments[0]
    try:
        data = root.get(first.uri)
    except MissingObject:
        data = None
    if data is None or hashlib.sha256(data).hexdigest() != first.sha256:
        what = "is gone" if data is None else "has changed"
        raise UserError(f"{first.uri} in {root.uri} {what} since the catalog was built: run the same command again")
    found = frames_of_segments(data, spec, [(clip.start_s, clip.end_s) for clip in segments])
    return [(clip.clip_key, frames_TF, facts) for clip, (frames_TF, facts) in zip(segments, found, strict=True)]


def _found(planned: Planned, tables: dict[str, pa.Table], missing: bool, silence_dbfs: float) -> pa.Table:
    """What is known of every clip, sorted by key: facts, part, first_row, and rows (0 where a reason is given)."""
    pieces = [PART_SCHEMA.append(pa.field("part", pa.string())).empty_table()]
    for name, clips in planned.items():
        own = tables[name].filter(pc.is_in(tables[name]["clip_key"], pa.array([clip.clip_key for clip in clips])))
        pieces.append(own.append_column("part", pa.array([name] * own.num_rows, pa.string())))
    if missing:
        row = {"clip_key": "", **asdict(ClipFacts(reason=MISSING)), "first_row": 0, "rows": 0}
        pieces.append(pa.Table.from_pylist([row], schema=pieces[0].schema))
    found = pa.concat_tables([piece.replace_schema_metadata(None) for piece in pieces]).sort_by("clip_key")
    silent = pc.and_(pc.is_null(found["reason"]), pc.less(found["peak"], pa.scalar(amplitude(silence_dbfs))))
    for column, value in (("reason", pa.scalar(SILENT)), ("rows", pa.scalar(0, pa.int32()))):
        at = found.schema.get_field_index(column)
        found = found.set_column(at, found.schema.field(at), pc.if_else(silent, value, found[column]))
    return found.combine_chunks()


def _index(found: pa.Table, tables: dict[str, pa.Table], attempt: Attempt) -> pa.Table:
    """Name the shards that hold kept clips as files of the result; (clip_key, shard, first_row, rows) of those."""
    kept = found.filter(pc.greater(found["rows"], pa.scalar(0)))
    used = sorted(set(_values(kept, "part")))
    for number, name in enumerate(used):
        attempt.name(f"shard-{number:04d}", cast(FileRef, shard_of(tables[name])))
    shard = pc.index_in(kept["part"], pa.array(used, pa.string()))
    return kept.select(["clip_key", "first_row", "rows"]).add_column(1, "shard", shard)


def _content_digest(found: pa.Table, spec: FeatureSpec) -> str:
    hasher = hashlib.sha256(canonical_json(spec.model_dump()).encode())
    for piece in found.select(["clip_key", "sound_sha256", "rows", "reason"]).to_batches(ROWS_A_PIECE):
        hasher.update("\n".join(canonical_json(row) for row in piece.to_pylist()).encode() + b"\n")
    return hasher.hexdigest()[:KEY_LENGTH]


def _values(table: pa.Table, column: str) -> list[Any]:
    return table[column].to_pylist()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
