"""Segments of a file cut out of it without decoding the rest, where its format allows that with the same samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from earmark.features.decode import (
    BLOCK_SAMPLES,
    DecodeError,
    Sound,
    open_sound,
    read_sound,
    refuse_mp4,
    sound_blocks,
)

Segment = tuple[float | None, float | None]
"""Start and end in seconds; None stands for the file's."""
WHOLE: Segment = (None, None)
Cut = tuple[int, Sound | DecodeError, float | None]
"""A segment's number, its sound or why it has none, and the file's length in seconds."""

LONG_BYTES = 4 << 20
"""From this size on, a file's segments are cut out of it; smaller files are decoded whole, which is as fast.

The size alone decides: libsndfile, which cuts, decodes Vorbis to samples that differ in rounding from stb_vorbis's.
"""
SOUGHT_SUBTYPES = frozenset(
    {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM"}
    | {"ALAC_16", "ALAC_20", "ALAC_24", "ALAC_32", "VORBIS"}
)
"""Encodings (FLAC's are those of PCM) that libsndfile enters anywhere with the samples of the whole.

Opus has other roundings after a seek, MP3 other samples, and its frames up to there are read all the same; GSM and the
like have no seek. These are decoded once from the start, and segments cut as they pass.
"""
PASSED_SUFFIXES = (".mp3", ".opus", ".gsm")
"""How files of which a late segment costs all that is before it are mostly named: not worth opening several times."""
UNKNOWN_FRAMES = 2**40
"""As many frames or more are claimed only where the header does not know how many there are."""


def cut(file: BinaryIO, segments: Sequence[Segment]) -> Iterator[Cut]:
    """Cut segments out of a file, each as soon as it is decoded.

    A segment's samples do not depend on which others are asked for. Memory is taken for the segments that are under
    way and no more. The length is None where the file was not read to its end and its header does not tell it.

    Args:
        file: a seekable stream of the file's bytes.
        segments: times in seconds; order and overlaps are free.

    Raises:
        DecodeError: the file cannot be opened.
    """
    head = file.read(12)
    file.seek(0)
    refuse_mp4(head)
    sound = open_sound(file)
    if sound.subtype in SOUGHT_SUBTYPES and sound.frames < UNKNOWN_FRAMES:
        yield from _sought(file, sound, segments)
    else:
        yield from _passing(sound, segments)


def _sought(source: BinaryIO, file: Any, segments: Sequence[Segment]) -> Iterator[Cut]:
    used = False
    for number, segment in enumerate(segments):
        if used:
            file.close()
            source.seek(0)
            file = open_sound(source)
        sound = _one(file, segment)
        yield number, sound, file.frames / file.samplerate
        # Vorbis overlaps what follows a second seek with the last samples read; FLAC finds nothing after a failed one.
        used = file.subtype == "VORBIS" or isinstance(sound, DecodeError)
    file.close()


def _one(file: Any, segment: Segment) -> Sound | DecodeError:
    import soundfile

    first, last = _samples(segment, file.samplerate)
    last = file.frames if last is None else min(last, file.frames)
    first = min(first, last)
    try:
        if first < last:
            file.seek(first)
        return Sound(read_sound(file, last - first), file.samplerate)
    except (soundfile.LibsndfileError, RuntimeError):
        return DecodeError(f"nothing is found at {first / file.samplerate:.3f} s, the file is cut or damaged")
    except DecodeError as error:
        return error


def _passing(file: Any, segments: Sequence[Segment]) -> Iterator[Cut]:
    spans = [_samples(segment, file.samplerate) for segment in segments]
    waiting = sorted(range(len(spans)), key=lambda number: spans[number][0])
    pieces: dict[int, list[NDArray[Any]]] = {number: [] for number in waiting}
    at, rate, channels = 0, file.samplerate, file.channels
    try:
        for block_NC in sound_blocks(file, BLOCK_SAMPLES):
            for number in waiting:
                first, last = spans[number]
                if first >= at + len(block_NC):
                    break
                pieces[number].append(block_NC[max(0, first - at) : None if last is None else max(0, last - at)].copy())
            at += len(block_NC)
            for number in [number for number in waiting if _ended(spans[number], at)]:
                waiting.remove(number)
                yield number, _joined(pieces.pop(number), channels, rate), None
            if not waiting:
                return
    except DecodeError as error:
        for number in waiting:
            yield number, error, None
        return
    for number in waiting:
        yield number, _joined(pieces.pop(number), channels, rate), at / rate


def _samples(segment: Segment, rate: int) -> tuple[int, int | None]:
    """First sample and the one behind the last, as :meth:`Sound.segment` has them."""
    start_s, end_s = segment
    return round((start_s or 0.0) * rate), None if end_s is None else round(end_s * rate)


def _joined(pieces: list[NDArray[Any]], channels: int, rate: int) -> Sound:
    return Sound(np.concatenate(pieces or [np.empty((0, channels), np.float32)]), rate)


def _ended(span: tuple[int, int | None], at: int) -> bool:
    first, last = span
    return last is not None and max(first, last) <= at
