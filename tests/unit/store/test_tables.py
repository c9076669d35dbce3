from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from earmark.errors import UserError
from earmark.store.tables import read_table, write_table


def test_columns_come_back():
    table = read_table(write_table({"name": ["a", None], "rows": np.array([1, 2], np.int32), "labels": [[0], [1, 2]]}))
    assert table.to_pydict() == {"name": ["a", None], "rows": [1, 2], "labels": [[0], [1, 2]]}
    assert table.schema.field("rows").type == pa.int32()


def test_a_tables_own_metadata_stays():
    table = pa.table({"x": [1]}).replace_schema_metadata({b"own": b"kept"})
    assert read_table(write_table(table)).schema.metadata[b"own"] == b"kept"


def test_equal_tables_give_equal_bytes_however_they_are_chunked():
    whole = pa.table({"x": list(range(100)), "y": [str(i % 7) for i in range(100)]})
    pieces = pa.concat_tables([whole.slice(0, 13), whole.slice(13)])
    assert write_table(whole) == write_table(pieces)


@pytest.mark.parametrize(("metadata", "found"), [({}, "none"), ({"earmark.schema_version": "0"}, "0")])
def test_another_version_is_refused_by_name(metadata, found):
    data = io.BytesIO()
    pq.write_table(pa.table({"x": [1]}).replace_schema_metadata(metadata), data)
    with pytest.raises(UserError, match=f"schema {found} where this version reads 1: run the step"):
        read_table(data.getvalue())


@pytest.mark.parametrize("data", [b"", b"no table", write_table({"x": [1, 2]})[:-9]])
def test_what_is_no_table_is_refused(data):
    with pytest.raises(UserError, match="again"):
        read_table(data)
