"""A table's content as Python values, and its digest, free of how Parquet lays it out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from earmark.config import canonical_json

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_A_PIECE = 65_536


def column(table: pa.Table, name: str) -> list[Any]:
    """A column as Python values, None where it has none."""
    values: list[Any] = table[name].to_pylist()
    return values


def content_digest(table: pa.Table, columns: Sequence[str], about: object) -> str:
    """Hex digest of some columns of a table, in the order of its rows, and of a JSON value about them."""
    hasher = hashlib.sha256(canonical_json(about).encode())
    for at in range(0, table.num_rows, ROWS_A_PIECE):
        piece = table.slice(at, ROWS_A_PIECE)
        hasher.update(canonical_json([column(piece, name) for name in columns]).encode())
    return hasher.hexdigest()[:32]
