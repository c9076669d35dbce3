"""Catalogs made by hand, so that this room is tested without the one that makes them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from earmark.store import Manifest, Store, once
from earmark.store.tables import write_table

SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("uri", pa.string()),
        ("sha256", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("claimed_seconds", pa.float64()),
        ("size", pa.int64()),
        ("mark", pa.string()),
    ]
)


def _catalog_of(store: Store, root: Path, segments: dict[str, list[tuple]] | None = None, missing=()) -> Manifest:
    """A catalog of all files below ``root``; ``segments`` cuts a file into clips, ``missing`` names absent files."""
    rows = []
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        uri = path.relative_to(root).as_posix()
        stat, sha256 = path.stat(), hashlib.sha256(path.read_bytes()).hexdigest()
        about = {"uri": uri, "sha256": sha256, "size": stat.st_size, "mark": str(stat.st_mtime_ns)}
        for start, end in (segments or {}).get(uri, [(None, None)]):
            rows.append({"clip_id": f"{uri}#{start}", **about, "start_s": start, "end_s": end})
    rows += [{"clip_id": uri, "uri": uri, "sha256": ""} for uri in missing]
    data = write_table(pa.Table.from_pylist(rows, schema=SCHEMA))

    def work(attempt):
        attempt.put("clips.parquet", data)
        attempt.facts = {"data": str(root), "clips": len(rows)}

    return once(store, "build_catalog", hashlib.sha256(data).hexdigest()[:32], work)


def _tone(seconds: float = 2.0, rate: int = 16000, hz: float = 440.0, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


@pytest.fixture(scope="session")
def catalog_of():
    return _catalog_of


@pytest.fixture(scope="session")
def tone():
    return _tone


@pytest.fixture(scope="session")
def recordings(examples) -> list[Path]:
    """A clip of each of the ten classes of the examples."""
    return sorted((examples / "audio").glob("*.ogg"))[::12]
