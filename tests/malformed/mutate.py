"""Malformed sounds by seed: real recordings in every format, changed in every way that files go wrong."""

from __future__ import annotations

import io
import math
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

EXAMPLES = Path(__file__).parents[2] / "examples" / "esc10" / "audio"
RATES = (8_000, 16_000, 24_000, 48_000)

FORMATS = {
    "wav pcm16": ("wav", "WAV", "PCM_16"),
    "wav pcm8": ("wav", "WAV", "PCM_U8"),
    "wav pcm24": ("wav", "WAV", "PCM_24"),
    "wav pcm32": ("wav", "WAV", "PCM_32"),
    "wav float": ("wav", "WAV", "FLOAT"),
    "wav double": ("wav", "WAV", "DOUBLE"),
    "wav alaw": ("wav", "WAV", "ALAW"),
    "wav ulaw": ("wav", "WAV", "ULAW"),
    "wav ima": ("wav", "WAV", "IMA_ADPCM"),
    "wav ms": ("wav", "WAV", "MS_ADPCM"),
    "wav gsm": ("wav", "WAV", "GSM610"),
    "wavex": ("wav", "WAVEX", "PCM_24"),
    "rf64": ("rf64", "RF64", "PCM_16"),
    "flac 16": ("flac", "FLAC", "PCM_16"),
    "flac 24": ("flac", "FLAC", "PCM_24"),
    "vorbis": ("ogg", "OGG", "VORBIS"),
    "opus": ("opus", "OGG", "OPUS"),
    "mp3": ("mp3", "MP3", "MPEG_LAYER_III"),
    "aiff": ("aiff", "AIFF", "PCM_16"),
    "aiff float": ("aiff", "AIFF", "FLOAT"),
    "au": ("au", "AU", "PCM_16"),
    "au g721": ("au", "AU", "G721_32"),
    "w64": ("w64", "W64", "PCM_24"),
    "caf": ("caf", "CAF", "PCM_16"),
    "caf alac": ("caf", "CAF", "ALAC_16"),
}
"""Suffix, and libsndfile's names of format and encoding."""

BLOCK = 65_536
HOSTILE = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)
ONE_CHANNEL = ("GSM610", "G721_32")
OTHERS = (b"%PDF-1.7\n", b"PK\3\4", b"\x7fELF\2\1\1", b"<html><body>404 not found</body></html>", b"filename,label\n")


@dataclass(frozen=True)
class Malformed:
    """A file, and how it came about."""

    name: str
    data: bytes
    format: str
    mutation: str
    whole: bool
    """Nothing is wrong with its bytes: it must be read."""


def encoded(samples_NC: np.ndarray, rate: int, form: str) -> bytes:
    """A sound in one of ``FORMATS``."""
    _, kind, subtype = FORMATS[form]
    samples_NC = samples_NC[:, :1] if subtype in ONE_CHANNEL else samples_NC
    bytes_ = io.BytesIO()
    with soundfile.SoundFile(bytes_, "w", rate, samples_NC.shape[1], subtype, format=kind) as file:
        for first in range(0, len(samples_NC), BLOCK):  # libsndfile's Vorbis encoder crashes at many samples
            file.write(samples_NC[first : first + BLOCK])
    return bytes_.getvalue()


@cache
def recording(number: int) -> np.ndarray:
    """Two seconds of one of a few real clips, (N, 1)."""
    samples_NC, _ = soundfile.read(
        sorted(EXAMPLES.glob("*.ogg"))[7 + 14 * number], 88_200, dtype="float32", always_2d=True
    )
    return samples_NC[10_000:]


@cache
def original(form: str, number: int, rate: int, channels: int) -> bytes:
    """A second or so of a real clip in a format."""
    samples_NC = np.repeat(recording(number)[: round(1.2 * rate)], channels, axis=1)
    return encoded(np.clip(samples_NC, -1.0, 1.0), rate, form)


@cache
def silence(form: str) -> bytes:
    """Ten minutes of silence where a format writes it in a few bytes, half a minute elsewhere."""
    seconds = 600 if FORMATS[form][1] in ("FLAC", "OGG") else 30
    return encoded(np.zeros((8_000 * seconds, 1), np.int16), 8_000, form)


def truncated(data: bytes, draw: random.Random) -> bytes:
    """Cut: in its sound, its header, or a few bytes before its end."""
    return data[: draw.choice([draw.randrange(len(data)), draw.randrange(128), len(data) - draw.randrange(1, 9)])]


def flipped(data: bytes, draw: random.Random, first: int = 0, end: int | None = None) -> bytes:
    """Some bits the other way round."""
    found = bytearray(data)
    for _ in range(draw.choice([1, 4, 64])):
        found[draw.randrange(first, end or len(found))] ^= 1 << draw.randrange(8)
    return bytes(found)


def flipped_header(data: bytes, draw: random.Random) -> bytes:
    """Some bits of the header the other way round."""
    return flipped(data, draw, 4, min(len(data), 96))


def overwritten(data: bytes, draw: random.Random) -> bytes:
    """A stretch of zeros, ones or noise."""
    at, size = draw.randrange(len(data)), draw.choice([4, 64, 4096])
    filling = draw.choice([bytes(size), b"\xff" * size, draw.randbytes(size)])
    return data[:at] + filling + data[at + size :]


def lying_field(data: bytes, draw: random.Random) -> bytes:
    """A field of the header, of two, four or eight bytes, says something extreme."""
    code = draw.choice("HIQ")
    at = draw.randrange(2, min(len(data) - 8, 120) // 2) * 2
    value = min(draw.choice(HOSTILE), 2 ** (8 * struct.calcsize(code)) - 1)
    field = struct.pack(draw.choice("<>") + code, value)
    return data[:at] + field + data[at + len(field) :]


def lying_chunk(data: bytes, draw: random.Random) -> bytes:
    """A chunk, page or block that is said to be empty, endless, or a little longer than it is."""
    if data[:4] in (b"RIFF", b"RF64", b"FORM"):
        order, width, head = (">", 4, 12) if data[:4] == b"FORM" else ("<", 4, 12)
    elif data[:4] == b"caff":
        order, width, head = ">", 8, 8
    else:
        return lying_field(data, draw)
    at, sizes = head, []
    while at + 4 + width <= len(data):
        [size] = struct.unpack_from(order + ("I" if width == 4 else "Q"), data, at + 4)
        sizes.append((at + 4, size))
        at += 4 + width + min(size, len(data)) + (size % 2 if width == 4 else 0)
    at, size = draw.choice(sizes)
    lie = draw.choice([0, 1, size + 1, max(0, size - 1), 2 * size, 2**31 - 1, 2**31, 2**32 - 1])
    field = struct.pack(order + ("I" if width == 4 else "Q"), min(lie, 2 ** (8 * width) - 1))
    return data[:at] + field + data[at + width :]


def lying_rate(data: bytes, draw: random.Random) -> bytes:
    """A sampling rate of nothing, of next to nothing, or beyond all reason."""
    lie = draw.choice([0, 1, 7, 2**31 - 1, 2**31, 2**32 - 1])
    if data[:4] == b"fLaC":
        packed = int.from_bytes(data[18:22], "big") & 0xFFF | (lie & 0xFFFFF) << 12
        return data[:18] + packed.to_bytes(4, "big") + data[22:]
    for rate in RATES:
        for told, field in [(struct.pack(o + "I", rate), struct.pack(o + "I", lie)) for o in "<>"] + [
            (_extended(rate), _extended(lie)),
            (struct.pack(">d", rate), struct.pack(">d", float(lie) if lie else math.nan)),
        ]:
            if told in data[:256]:
                return data.replace(told, field, 1)
    return lying_field(data, draw)


def _extended(value: int) -> bytes:
    """AIFF's 80-bit float of a whole number."""
    bits = value.bit_length()
    return struct.pack(">HQ", 16382 + bits if value else 0, value << (64 - bits) if value else 0)


def lying_channels(data: bytes, draw: random.Random) -> bytes:
    """No channel, 64, or 65,535 of them, whatever the sound has."""
    lie = draw.choice([0, 3, 64, 255, 65_535])
    if data[:4] in (b"RIFF", b"RF64") and (at := data.find(b"fmt ")) > 0:
        return data[: at + 10] + struct.pack("<H", lie) + data[at + 12 :]
    if data[:4] == b"FORM" and (at := data.find(b"COMM")) > 0:
        return data[: at + 8] + struct.pack(">H", lie) + data[at + 10 :]
    if data[:4] == b".snd":
        return data[:20] + struct.pack(">I", lie) + data[24:]
    if data[:4] == b"OggS":
        at = 39 if data[28:35] == b"\1vorbis" else 37
        return data[:at] + bytes([lie % 256]) + data[at + 1 :]
    return lying_field(data, draw)


def nested(data: bytes, draw: random.Random) -> bytes:
    """A header twice, a file in itself, or its parts in another order."""
    head, at = draw.choice([4, 12, 44, 200]), draw.randrange(len(data))
    first, second = sorted(draw.sample(range(len(data)), 2))
    return draw.choice(
        [
            data[:head] + data,
            data[:at] + data[:head] + data[at:],
            data + data,
            data[:at] + data + data[at:],
            data[:head] + data[second:] + data[first:second] + data[head:first],
        ]
    )


def text(_: bytes, draw: random.Random) -> bytes:
    """Something else under a sound's name."""
    return draw.choice(OTHERS) + draw.randbytes(draw.choice([0, 100, 5000])).hex().encode()


def only_magic(data: bytes, draw: random.Random) -> bytes:
    """Nothing but a beginning, and what may follow it."""
    return data[: draw.choice([4, 8, 12, 36, 44])] + draw.choice([b"", bytes(3000), draw.randbytes(3000)])


BYTES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "truncated": truncated,
    "bits flipped": flipped,
    "header's bits flipped": flipped_header,
    "overwritten": overwritten,
    "lying field": lying_field,
    "lying chunk": lying_chunk,
    "lying rate": lying_rate,
    "lying channels": lying_channels,
    "nested, doubled": nested,
    "text": text,
    "only a beginning": only_magic,
}
SOUNDS = ("not finite", "endless silence", "many channels", "whole", "wrong suffix", "empty")


def malformed(count: int, seed: int) -> Iterator[Malformed]:
    """Files that follow from the seed: every format with every mutation in turn, each time another way."""
    pairs = [(form, mutation) for mutation in (*BYTES, *SOUNDS) for form in FORMATS]
    random.Random(seed).shuffle(pairs)
    for number in range(count):
        form, mutation = pairs[number % len(pairs)]
        draw = random.Random(f"{seed} {number}")
        suffix = FORMATS[form][0]
        if mutation == "wrong suffix":
            suffix = draw.choice([other for other, _, _ in FORMATS.values() if other != suffix])
        data = _sound(form, mutation, draw)
        yield Malformed(
            f"{number % 2}/{number:06}.{suffix}", data, form, mutation, mutation in ("whole", "wrong suffix")
        )


def _sound(form: str, mutation: str, draw: random.Random) -> bytes:
    data = original(form, draw.randrange(4), draw.choice(RATES), draw.choice([1, 2]))
    if mutation in BYTES:
        return BYTES[mutation](data, draw)
    if mutation == "empty":
        return b""
    if mutation == "endless silence":
        return draw.choice([lambda d, _: d, lying_field, truncated])(silence(form), draw)
    if mutation == "many channels":
        channels = draw.choice([3, 6, 8, 64, 256] if form != "vorbis" else [3, 6, 8])  # its encoder crashes at 256
        try:
            return encoded(np.repeat(recording(0)[:9_000], channels, axis=1), 8_000, form)
        except (soundfile.LibsndfileError, ValueError):
            return lying_channels(data, draw)
    if mutation == "not finite" and FORMATS[form][2] not in ("FLOAT", "DOUBLE"):  # encoders crash at such samples
        return overwritten(data, draw)
    if mutation == "not finite":
        samples_NC = recording(1)[:12_000].copy()
        samples_NC[draw.randrange(12_000) :] = draw.choice([math.nan, math.inf, -math.inf, 1e38, 3e30])
        return encoded(samples_NC, 8_000, form)
    return data
