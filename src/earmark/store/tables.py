"""Parquet files that say which schema they follow; one of another version is refused by name, never misread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from earmark.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = b"1"
VERSION_KEY = b"earmark.schema_version"


def write_table(columns: Mapping[str, Sequence[Any] | Any] | pa.Table) -> bytes:
    """A Parquet file of named columns (lists, NumPy or Arrow arrays) or of a table, whose own metadata it keeps.

    Equal tables give equal bytes. Give Arrow arrays or a table where a column may be empty or all null.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = columns if isinstance(columns, pa.Table) else pa.table(dict(columns))
    stamped = table.replace_schema_metadata({**(table.schema.metadata or {}), VERSION_KEY: SCHEMA_VERSION})
    sink = pa.BufferOutputStream()
    pq.write_table(stamped.combine_chunks(), sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def read_table(data: bytes) -> pa.Table:
    """The table that :func:`write_table` wrote.

    Raises:
        UserError: not such a file, or one of another schema version.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"not a Parquet file that can be read ({error}): run the step that wrote it again") from error
    version = (table.schema.metadata or {}).get(VERSION_KEY)
    if version != SCHEMA_VERSION:
        found = version.decode() if version else "none"
        raise UserError(
            f"a table of schema {found} where this version reads {SCHEMA_VERSION.decode()}: "
            "run the step that wrote it again with this version"
        )
    return table
