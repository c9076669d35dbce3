"""TFRecord files of SequenceExamples, as Audio Set's embeddings are published; written without TensorFlow."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

BYTES, FLOATS, INTS = 1, 2, 3
"""Fields of a Feature."""


def record(data: bytes) -> bytes:
    """A record as it lies in the file: length and data, each followed by its masked crc32c."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(crc32c(length))) + data + struct.pack("<I", masked(crc32c(data)))


def sequence_example(
    video_id: str, start_s: float, end_s: float, labels: Sequence[int], embeddings_PK: NDArray[np.uint8]
) -> bytes:
    """A clip as Audio Set's files have it: context, and ``audio_embedding`` with one value of K bytes a patch."""
    context = {
        "video_id": (BYTES, _field(1, video_id.encode())),
        "start_time_seconds": (FLOATS, _field(1, struct.pack("<f", start_s))),
        "end_time_seconds": (FLOATS, _field(1, struct.pack("<f", end_s))),
        "labels": (INTS, _field(1, b"".join(map(_varint, labels)))),
    }
    features = b"".join(_entry(name, _field(kind, values)) for name, (kind, values) in context.items())
    patches = b"".join(_field(1, _field(BYTES, _field(1, row.tobytes()))) for row in embeddings_PK)
    return _field(1, features) + _field(2, _entry("audio_embedding", patches))


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli); 0xE3069283 of ``123456789``."""
    table, crc = crc_table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """A checksum as records keep it."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _entry(name: str, value: bytes) -> bytes:
    """An entry of a map, which is field 1 of its message."""
    return _field(1, _field(1, name.encode()) + _field(2, value))


def _field(number: int, payload: bytes) -> bytes:
    """A field with a length: bytes, message, or packed numbers."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    return bytes(_groups(value))


def _groups(value: int) -> Iterator[int]:
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value


@lru_cache(1)
def crc_table() -> tuple[int, ...]:
    """What a byte does to a CRC-32C."""
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)
