"""Float variables of a TensorFlow checkpoint, without TensorFlow: a sorted table of protocol buffers."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.errors import UserError

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
FOOTER = 48
MOST_BITS = 70
"""Ten groups of seven bits: no number takes more."""
MOST_KEY = 4096
FLOAT = 1
"""DT_FLOAT."""


class _Broken(Exception):
    """What is wrong with the bytes."""


def index_of(file: Path) -> Path | None:
    """The table of a checkpoint: the file itself (version 1), or the ``.index`` beside that name (version 2); or None.

    ``file`` may be either of the second's files, or what their names begin with.
    """
    prefix = file.name.partition(".data-")[0].removesuffix(".index")
    for table in (file, file.with_name(f"{prefix}.index")):
        if table.is_file() and table.stat().st_size >= FOOTER:
            with table.open("rb") as opened:
                opened.seek(-len(MAGIC), 2)
                if opened.read() == MAGIC:
                    return table
    return None


def read_checkpoint(file: Path) -> dict[str, NDArray[np.float32]]:
    """The float variables of a checkpoint (see :func:`index_of`) by name; others are left out.

    Raises:
        UserError: it is damaged, a file of it is missing, or a variable was saved in parts.
    """
    table = index_of(file)
    assert table is not None
    try:
        entries = _entries(_mapped(table))
        key, header = next(entries)
        if key:
            raise _Broken("it does not begin with a header")
        return _version_2(table, header, entries) if table.name.endswith(".index") else _version_1(header, entries)
    except (_Broken, struct.error, LookupError, ValueError, TypeError, OverflowError, StopIteration) as error:
        raise UserError(f"{file} cannot be read as a TensorFlow checkpoint ({error}): is it whole?") from None


def _version_1(header: memoryview, entries: Iterator[tuple[bytes, memoryview]]) -> dict[str, NDArray[np.float32]]:
    shapes = {}
    for tensor in _all(_one(header, 1), 1):
        fields = _message(tensor)
        if fields.get(3) == FLOAT:
            shapes[_text(fields[1])] = _shape(fields[2])
    found = {}
    for _, value in entries:
        slice_ = _message(_one(value, 2))
        name = _text(slice_[1])
        if name in shapes:
            values = _floats(slice_[3])
            if values.size != np.prod(shapes[name], dtype=np.int64):
                raise _Broken(f"{name} was saved in parts")
            found[name] = values.reshape(shapes[name])
    return found


def _version_2(
    table: Path, header: memoryview, entries: Iterator[tuple[bytes, memoryview]]
) -> dict[str, NDArray[np.float32]]:
    shards = _message(header).get(1, 1)
    found, prefix = {}, table.name.removesuffix(".index")
    for key, value in entries:
        fields = _message(value)
        if fields.get(1) != FLOAT:
            continue
        if 7 in fields:
            raise _Broken(f"{key.decode()} was saved in parts")
        data = table.with_name(f"{prefix}.data-{fields.get(3, 0):05d}-of-{shards:05d}")
        if not data.is_file():
            raise UserError(f"{data} is not there: a checkpoint of this version has its values beside its .index")
        start, size = fields.get(4, 0), fields.get(5, 0)
        values = np.frombuffer(_mapped(data)[start : start + size], "<f4")
        found[key.decode()] = values.reshape(_shape(fields.get(2, b"")))
    return found


def _mapped(file: Path) -> memoryview:
    with file.open("rb") as opened:
        return memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))


def _entries(table: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Keys and values of the whole table, in the order of the keys."""
    footer = table[-FOOTER:]
    _, at = _handle(footer, 0)
    index, _ = _handle(footer, at)
    left = len(table)
    for _, handle in _block(table, *index):
        start, size = _handle(handle, 0)[0]
        left -= size
        if left < 0:
            raise _Broken("its blocks are longer than all of it")
        yield from _block(table, start, size)


def _block(table: memoryview, start: int, size: int) -> Iterator[tuple[bytes, memoryview]]:
    """Entries of a block: each key is told by what it shares with the one before."""
    block = table[start : start + size]
    if table[start + size] != 0:
        raise _Broken("it is compressed")
    restarts = struct.unpack("<I", block[-4:])[0]
    at, end, key = 0, size - 4 * (restarts + 1), b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + bytes(block[at : at + own])
        at += own
        if len(key) > MOST_KEY:
            raise _Broken("a name without an end")
        yield key, block[at : at + length]
        at += length


def _handle(data: memoryview, at: int) -> tuple[tuple[int, int], int]:
    start, at = _varint(data, at)
    size, at = _varint(data, at)
    return (start, size), at


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while shift < MOST_BITS:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise _Broken("a number without an end")


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """Numbers and values of a protocol buffer's fields: whole numbers, or the bytes of the rest."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if kind not in (1, 2, 5):
            raise _Broken(f"a field of kind {kind}")
        length, at = _varint(data, at) if kind == 2 else (8 if kind == 1 else 4, at)
        if at + length > len(data):
            raise _Broken("it ends early")
        yield tag >> 3, data[at : at + length]
        at += length


def _message(data: memoryview) -> dict[int, Any]:
    """Fields by number, of several the last."""
    return dict(_fields(data))


def _all(data: memoryview, number: int) -> list[Any]:
    return [value for found, value in _fields(data) if found == number]


def _one(data: memoryview, number: int) -> memoryview:
    found = _all(data, number)
    if not found:
        raise _Broken(f"field {number} is missing")
    value: memoryview = found[-1]
    return value


def _text(data: memoryview | int) -> str:
    if isinstance(data, int):
        raise _Broken("a number where a text belongs")
    return bytes(data).decode()


def _shape(data: memoryview) -> tuple[int, ...]:
    return tuple(_message(dimension).get(1, 0) for dimension in _all(data, 2))


def _floats(tensor: memoryview) -> NDArray[np.float32]:
    """Values of a TensorProto: packed floats, or the raw bytes of the whole."""
    fields = _message(tensor)
    return np.frombuffer(fields.get(5, fields.get(4, b"")), "<f4")
