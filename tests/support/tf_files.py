"""TensorFlow's checkpoint files as TensorFlow writes them, in both versions, for tests of what reads them."""

import struct

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
PER_BLOCK = 3


def write_v1(path, variables, others=()):
    """A checkpoint of version 1: one table, its first value tells names and shapes. ``others`` are of whole numbers."""
    metas = [
        _bytes(1, _bytes(1, name.encode()) + _bytes(2, _shape(array.shape)) + _int(3, 1) + _bytes(4, b""))
        for name, array in variables.items()
    ]
    metas += [_bytes(1, _bytes(1, name.encode()) + _bytes(2, b"") + _int(3, 3)) for name in others]
    entries = {b"": _bytes(1, b"".join(metas) + _bytes(2, _int(1, 1)))}
    for name, array in variables.items():
        tensor = _int(1, 1) + _bytes(5, array.astype("<f4").tobytes())
        entries[b"\0" + name.encode()] = _bytes(2, _bytes(1, name.encode()) + _bytes(2, b"") + _bytes(3, tensor))
    for name in others:
        tensor = _int(1, 3) + _bytes(7, b"\x05")
        entries[b"\0" + name.encode()] = _bytes(2, _bytes(1, name.encode()) + _bytes(2, b"") + _bytes(3, tensor))
    path.write_bytes(_table(entries))


def write_v2(prefix, variables, others=()):
    """A checkpoint of version 2: the table, and the values beside it. ``others`` are of whole numbers."""
    data, entries = b"", {b"": _int(1, 1) + _bytes(3, _int(1, 1))}
    for name, array in sorted(variables.items()):
        raw = array.astype("<f4").tobytes()
        entry = _int(1, 1) + _bytes(2, _shape(array.shape)) + _int(4, len(data)) + _int(5, len(raw))
        entries[name.encode()] = entry + _varint(6 << 3 | 5) + b"\0\0\0\0"
        data += raw
    for name in others:
        entries[name.encode()] = _int(1, 9) + _int(4, len(data)) + _int(5, 8)
        data += bytes(8)
    prefix.with_name(f"{prefix.name}.index").write_bytes(_table(dict(sorted(entries.items()))))
    prefix.with_name(f"{prefix.name}.data-00000-of-00001").write_bytes(data)


def _table(entries):
    blocks, handles, keys = bytearray(), b"", list(entries)
    index = {}
    for first in range(0, len(keys), PER_BLOCK):
        part = keys[first : first + PER_BLOCK]
        block = _block({key: entries[key] for key in part})
        index[part[-1] + b"\xff"] = _varint(len(blocks)) + _varint(len(block))
        blocks += block + b"\0" + bytes(4)
    for block in (_block({}), _block(index)):
        handles += _varint(len(blocks)) + _varint(len(block))
        blocks += block + b"\0" + bytes(4)
    return blocks + handles.ljust(40, b"\0") + MAGIC


def _block(entries):
    """Keys share what they can with the one before, as TensorFlow's do."""
    out, last = bytearray(), b""
    for key, value in entries.items():
        shared = next((i for i, (a, b) in enumerate(zip(key, last, strict=False)) if a != b), min(len(key), len(last)))
        out += _varint(shared) + _varint(len(key) - shared) + _varint(len(value)) + key[shared:] + value
        last = key
    return out + struct.pack("<II", 0, 1)


def _varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _int(number, value):
    return _varint(number << 3) + _varint(value)


def _bytes(number, value):
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _shape(shape):
    return b"".join(_bytes(2, _int(1, size)) for size in shape)
