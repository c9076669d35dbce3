"""``extract_features``: the frames and facts of a catalog's clips as one result; what is there is left alone."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from earmark.config import DataConfig, FeatureSpec, canonical_json
from earmark.config.keys import KEY_LENGTH
from earmark.features.clip import MISSING, SILENT, ClipFacts, amplitude
from earmark.features.fill import fill, filled
from earmark.features.plan import STEP, Plan, Planned, drop_plan, fixed_plan, patches_key, wanted
from earmark.features.shards import FACTS_FIELDS, PART_SCHEMA, Parts, Wanted, shard_of
from earmark.features.spec import PATCH_FRAMES
from earmark.progress import Progress
from earmark.store import Attempt, FileRef, Manifest, Store, once, open_store
from earmark.store.tables import write_table

ROWS_A_PIECE = 65_536


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
    key = patches_key(catalog, spec, config)
    manifest = once(store, STEP, key, lambda attempt: _extract(attempt, catalog, spec, config, progress))
    if manifest.reused or not manifest.facts["extracted"]:
        progress.note(f"all {manifest.facts['clips']} clips have their features: nothing to extract")
    return manifest


def _extract(attempt: Attempt, catalog: Manifest, spec: FeatureSpec, config: DataConfig, progress: Progress) -> None:
    store = attempt.store
    clips = wanted(store, catalog.check(store))
    parts = Parts(store, spec)
    plan, there = _planned(parts, attempt.key, clips)
    planned = {**plan.have, **plan.new}
    tables = fill(parts, planned, there, open_store(catalog.facts["data"]), progress)
    found = _found(planned, tables, any(not clip.sha256 for clip in clips), config.silence_dbfs)
    index = _index(found, tables, attempt)
    attempt.put("index.parquet", write_table(index))
    attempt.put("facts.parquet", write_table(found.select([field.name for field in FACTS_FIELDS])))
    attempt.digest = _content_digest(found, spec)
    attempt.facts = {
        "spec": spec.model_dump(),
        "clips": len(clips),
        "extracted": sum(map(len, plan.new.values())),
        "patches": sum(rows // PATCH_FRAMES for rows in _values(index, "rows")),
        "seconds": sum(_values(found, "seconds")),
        "shards": sum(name.startswith("shard-") for name in attempt.files),
    }


def _planned(parts: Parts, key: str, clips: list[Wanted]) -> tuple[Plan, dict[str, pa.Table]]:
    """A plan whose older parts are all there, and the tables of those of its parts that are."""
    while True:
        plan = fixed_plan(parts, key, clips)
        there = filled(parts, {**plan.have, **plan.new})
        if all(name in there for name in plan.have):
            return plan, there
        drop_plan(parts.store, key)


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
