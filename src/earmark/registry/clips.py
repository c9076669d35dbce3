"""The clips that a model was made of, as its package carries them: who asks what a model saw gets the answer there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from earmark.catalog.content import column
from earmark.features import clip_key
from earmark.store import Manifest, Store
from earmark.store.tables import read_table, write_table

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("clip_id", "clip_key", "sha256", "uri", "start_s", "end_s", "labels", "group", "split")


def clips_of(store: Store, catalog: Manifest, dataset: Manifest) -> bytes:
    """``clips.parquet``: every clip of the catalog with its labels by name and its split, null where it was left out.

    In the order of the clips' ids; equal content gives equal bytes.
    """
    import pyarrow.compute as pc

    table = claimed_clips(store, catalog)
    used = read_table(dataset.files["dataset.parquet"].read(store))
    at = pc.index_in(table["clip_id"], value_set=used["clip_id"].combine_chunks())
    table = table.append_column("split", used["split"].take(at))
    return write_table(table.select(COLUMNS))


def claimed_clips(store: Store, catalog: Manifest) -> pa.Table:
    """The same of a catalog alone, before anything is decoded: all columns but the split."""
    import pyarrow as pa

    claimed = read_table(catalog.files["clips.parquet"].read(store))
    names = [label["name"] for label in json.loads(catalog.files["labels.json"].read(store))]
    keys = [clip_key(*row) for row in zip(*(column(claimed, c) for c in ("sha256", "start_s", "end_s")), strict=True)]
    labels = [[names[label] for label in found] for found in column(claimed, "labels")]
    table: pa.Table = claimed.select(["clip_id", "sha256", "uri", "start_s", "end_s", "group"])
    table = table.append_column("clip_key", pa.array(keys, pa.string()))
    return table.append_column("labels", pa.array(labels, pa.list_(pa.string())))
