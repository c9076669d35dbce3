"""Which part has, or will have, each clip of a catalog.

A plan is fixed by the first who begins with a result: whoever works on it, again after a kill or beside others, fills
the very same parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from earmark.config import DataConfig, FeatureSpec, result_key
from earmark.features.clip import clip_key
from earmark.features.shards import EPOCH, Parts, Wanted, group_clips, part_name
from earmark.store import Manifest, MissingObject, Store, each
from earmark.store.tables import read_table, write_table

STEP = "extract_features"
ROWS_A_PIECE = 65_536
"""Rows of a catalog that are read as Python values at a time."""

Planned = dict[str, list[Wanted]]
"""Clips by the name of the part that has or will have them."""


@dataclass(frozen=True)
class Plan:
    """The parts that a result is made of.

    Attributes:
        have: parts that were there when the plan was made.
        new: parts to be made, in the order of their clips.
    """

    have: Planned
    new: Planned

    def share(self, partition: int, of: int) -> Planned:
        """The new parts that are made by one partition, numbered from 1: neighbours, about as many for each."""
        names = list(self.new)
        begin, end = (len(names) * number // of for number in (partition - 1, partition))
        return {name: self.new[name] for name in names[begin:end]}


def patches_key(catalog: Manifest, spec: FeatureSpec, config: DataConfig) -> str:
    """Under what the result of a catalog's extraction is kept."""
    return result_key(STEP, EPOCH, [catalog.digest, f"silence_dbfs={config.silence_dbfs}"], {"features": spec})


def wanted(store: Store, catalog: Manifest) -> list[Wanted]:
    """The catalog's clips, one a key (a file under two names is one), in order of their keys; "" for missing files."""
    table = read_table(catalog.files["clips.parquet"].read(store))
    columns = ["uri", "sha256", "start_s", "end_s", "claimed_seconds"]
    columns += [name for name in ("size", "mark") if name in table.column_names]
    by_key: dict[str, Wanted] = {}
    for piece in table.select(columns).to_batches(ROWS_A_PIECE):
        for row in piece.to_pylist():
            key = clip_key(row["sha256"], row["start_s"], row["end_s"])
            by_key.setdefault(key, Wanted(clip_key=key, **row))
    return [by_key[key] for key in sorted(by_key)]


def fixed_plan(parts: Parts, key: str, clips: list[Wanted], partitions: int = 1) -> Plan:
    """The plan of the result under a key: found, or made for so many partitions; of several made at once the first."""
    path = _path(key)
    by_key = {clip.clip_key: clip for clip in clips}
    while True:
        try:
            table = read_table(parts.store.get(path))
            break
        except MissingObject:
            found = [clip for clip in clips if clip.sha256]
            parts.store.put_new(path, write_table(_made(parts, found, partitions)))
    plan = Plan({}, {})
    for name, clip, new in zip(*(table[column].to_pylist() for column in ("part", "clip_key", "new")), strict=True):
        (plan.new if new else plan.have).setdefault(name, []).append(by_key[clip])
    return plan


def drop_plan(store: Store, key: str) -> None:
    """Take back a plan: a part that it counts on is gone."""
    store.delete(_path(key))


def _path(key: str) -> str:
    return f"results/{STEP}/{key}/plan.parquet"


def _made(parts: Parts, clips: list[Wanted], partitions: int) -> pa.Table:
    """A plan as it is stored: (clip_key, part, new)."""
    have: dict[str, str] = {}
    there = parts.names()
    for name, table in zip(there, each(parts.store, parts.read, there), strict=True):
        theirs: list[Any] = table["clip_key"].to_pylist() if table is not None else []
        for clip in theirs:
            have.setdefault(clip, name)
    rows = [(clip.clip_key, have[clip.clip_key], False) for clip in clips if clip.clip_key in have]
    for group in group_clips((clip for clip in clips if clip.clip_key not in have), parts.spec, partitions):
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
