"""Reads Audio Set's published embeddings, TFRecord files of SequenceExamples; every byte is checked, no TensorFlow."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from earmark.embeddings.records import BYTES, FLOATS, INTS, crc32c, crc_table, masked
from earmark.errors import UserError

LENGTH, CRC = 8, 4
"""Bytes of a record's length, and of a checksum."""
FEW = 32
"""So many blocks are as fast one after the other."""
MOST_BITS = 70
"""Ten groups of seven bits: no number takes more."""
VARINT, FIXED_64, DELIMITED, FIXED_32 = 0, 1, 2, 5
"""Wire types."""

Value = int | bytes


@dataclass(frozen=True, eq=False)
class Example:
    """A clip as the files have it.

    Attributes:
        video_id: its id.
        start_s, end_s: the segment of the video.
        labels: indices.
        embeddings_PK: one of K bytes a second, uint8.
        at: the byte of the file at which its record begins.
    """

    video_id: str
    start_s: float
    end_s: float
    labels: tuple[int, ...]
    embeddings_PK: NDArray[np.uint8]
    at: int


def read_examples(data: bytes, place: str) -> list[Example]:
    """The clips of a TFRecord file, in its order.

    Args:
        data: the file.
        place: where it lies, for messages.

    Raises:
        UserError: it is cut off or a checksum differs, or a record is no such clip; names the file and the byte.
    """
    examples = []
    for at, record in _records(data, place):
        try:
            examples.append(_example(record, at))
        except (ValueError, IndexError, KeyError, struct.error):
            raise UserError(
                f"{place}, byte {at}: the record is no clip with audio_embedding, video_id and labels: give Audio "
                "Set's published features (one value of bytes a second)"
            ) from None
    return examples


def _records(data: bytes, place: str) -> list[tuple[int, bytes]]:
    """Each record's place and data."""
    found: list[tuple[int, bytes]] = []
    crcs: list[int] = []
    at = 0
    while at < len(data):
        head = data[at : at + LENGTH]
        if len(data) < at + LENGTH + CRC:
            raise _damaged(place, at, "the file ends within a record's length")
        if _uint32(data, at + LENGTH) != masked(int(checksums([head])[0])):
            raise _damaged(place, at, "the checksum of a record's length differs")
        begin = at + LENGTH + CRC
        end = begin + struct.unpack("<Q", head)[0]
        if len(data) < end + CRC:
            raise _damaged(place, at, "the file ends within a record")
        found.append((at, data[begin:end]))
        crcs.append(_uint32(data, end))
        at = end + CRC
    for (at, _), stored, made in zip(found, crcs, checksums([record for _, record in found]).tolist(), strict=True):
        if stored != masked(made):
            raise _damaged(place, at, "the checksum of a record differs")
    return found


def checksums(blocks: Sequence[bytes]) -> NDArray[np.uint32]:
    """CRC-32C of each block, (N,): a byte of all of them at a time, since byte by byte Python takes minutes a file.

    Blocks of about the same length go together: one that is long among many short ones takes no memory for all.
    """
    found_N = np.empty(len(blocks), np.uint32)
    for _, same in groupby(
        sorted(range(len(blocks)), key=lambda n: -len(blocks[n])), lambda n: len(blocks[n]).bit_length()
    ):
        numbers = list(same)
        alike = [blocks[number] for number in numbers]
        found_N[numbers] = _checksums(alike) if len(alike) > FEW else list(map(crc32c, alike))
    return found_N


def _checksums(blocks: Sequence[bytes]) -> NDArray[np.uint32]:
    order = sorted(range(len(blocks)), key=lambda number: -len(blocks[number]))
    lengths_N = np.array([len(blocks[number]) for number in order], np.int64)
    padded_NB = np.zeros((len(blocks), int(lengths_N.max(initial=0))), np.uint8)
    for row, number in enumerate(order):
        padded_NB[row, : lengths_N[row]] = np.frombuffer(blocks[number], np.uint8)
    crc_N = np.full(len(blocks), 0xFFFFFFFF, np.uint32)
    table = _table()
    # Blocks that are as long as that yet are the first so many.
    left_B = np.searchsorted(-lengths_N, -np.arange(padded_NB.shape[1]), side="left")
    for byte_N, left in zip(np.ascontiguousarray(padded_NB.T), left_B.tolist(), strict=True):
        part_N = crc_N[:left]
        crc_N[:left] = table[(part_N ^ byte_N[:left]) & 0xFF] ^ (part_N >> 8)
    found_N = np.empty_like(crc_N)
    found_N[order] = crc_N ^ 0xFFFFFFFF
    return found_N


def _example(record: bytes, at: int) -> Example:
    context: dict[str, list[Value]] = {}
    lists: dict[str, list[Value]] = {}
    for number, message in _fields(record):
        for name, value in _entries(_bytes(message)):
            if number == 1:
                context[name] = _feature(value)
            elif number == 2:
                lists[name] = [each for _, each in _fields(value)]
    rows = [_bytes(_feature(_bytes(feature))[0]) for feature in lists["audio_embedding"]]
    start, end = (_float(context[f"{side}_time_seconds"]) for side in ("start", "end"))
    embeddings_PK = np.frombuffer(b"".join(rows), np.uint8)
    return Example(
        _bytes(context["video_id"][0]).decode(),
        start,
        end,
        tuple(int(label) for label in context["labels"]),
        embeddings_PK.reshape(len(rows), -1) if rows else embeddings_PK.reshape(0, 0),
        at,
    )


def _entries(message: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and values of a map."""
    for _, entry in _fields(message):
        parts = dict(_fields(_bytes(entry)))
        yield _bytes(parts[1]).decode(), _bytes(parts[2])


def _feature(message: bytes) -> list[Value]:
    """A feature's values: bytes, or numbers, packed or not; floats as their four bytes."""
    [(kind, values)] = _fields(message)
    found: list[Value] = []
    for _, value in _fields(_bytes(values)):
        if kind == BYTES or isinstance(value, int):
            found.append(value)
        elif kind == FLOATS:
            found += [value[first : first + 4] for first in range(0, len(value), 4)]
        elif kind == INTS:
            at = 0
            while at < len(value):
                number, at = _varint(value, at)
                found.append(number)
    return found


def _fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """Numbers and values of a message's fields."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        wire = tag & 7
        if wire == VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if wire == DELIMITED:
            size, at = _varint(message, at)
        elif wire in (FIXED_32, FIXED_64):
            size = 4 if wire == FIXED_32 else 8
        else:
            raise ValueError(f"wire type {wire}")
        if at + size > len(message):
            raise ValueError("a field goes past its message")
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < MOST_BITS:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("a number without an end")


def _bytes(value: Value) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where bytes belong")
    return value


def _float(values: Sequence[Value]) -> float:
    number: float = struct.unpack("<f", _bytes(values[0]))[0]
    return number


def _uint32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + CRC], "little")


def _damaged(place: str, at: int, what: str) -> UserError:
    return UserError(f"{place}, byte {at}: {what}: the file is damaged or cut off, fetch it again")


@lru_cache(1)
def _table() -> NDArray[np.uint32]:
    return np.array(crc_table(), np.uint32)
