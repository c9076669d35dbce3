"""Sound of any length: decoded, resampled and turned into frames block by block, with the numbers of the whole.

Decoders and resampler keep their state from block to block, and a frame is a function of its own samples: frames of
blocks are those of :func:`earmark.features.frames_of`, however the sound was cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from earmark.config import FeatureSpec
from earmark.features.clip import EMPTY, LARGEST, NOT_FINITE, SHORT
from earmark.features.decode import (
    BLOCK_SAMPLES,
    DecodeError,
    check_rate,
    dtype_of,
    open_sound,
    refuse_mp4,
    sound_blocks,
)
from earmark.features.logmel import INTEGER_SCALE, frames_at_16k, padded_frames_at_16k, to_mono
from earmark.features.quantise import quantise
from earmark.features.spec import FLOOR, HOP, MEL_BANDS, PATCH_FRAMES, SAMPLE_RATE, frame_count, padded_samples

RAW_TYPES: dict[str, np.dtype[Any]] = {"s16": np.dtype("<i2"), "f32": np.dtype("<f4")}


@dataclass(frozen=True)
class SoundBlocks:
    """A sound in pieces (N, channels), in its own type, at its own rate."""

    rate: int
    blocks: Iterable[NDArray[Any]]
    claimed_seconds: float | None = None
    """What the header claims, None for a stream."""


def open_blocks(path: Path) -> SoundBlocks:
    """A file's sound in blocks; the samples are those of :func:`earmark.features.decode`.

    Raises:
        DecodeError: with the reason why the file cannot be read or decoded; also while the blocks are read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(44)
    except OSError as error:
        raise DecodeError((error.strerror or str(error)).lower()) from error
    if not head:
        raise DecodeError("the file is empty")
    refuse_mp4(head)
    if head[:4] == b"fLaC" or (head[:4] == b"OggS" and head[28:35] == b"\x01vorbis" and head[39:40] <= b"\x02"):
        return _miniaudio(path) or _soundfile(path)
    return _soundfile(path)


def raw_blocks(stream: BinaryIO, rate: int, channels: int, kind: str) -> SoundBlocks:
    """Bare little-endian samples, interleaved, in blocks as they come; ``kind`` is ``s16`` or ``f32``."""
    return SoundBlocks(rate, _raw(stream, channels, RAW_TYPES[kind]))


def frame_blocks(sound: SoundBlocks, spec: FeatureSpec) -> Iterator[NDArray[Any]]:
    """Stored-precision frames (T, 64) of a sound, a piece a block; together those of the whole, padding included.

    Raises:
        DecodeError: the sound has no sample, one that is no number, or (without padding) less than a patch.
    """
    maker = FrameMaker(spec, sound.rate)
    for samples_NC in sound.blocks:
        yield maker.add(samples_NC)
    yield maker.end()


class FrameMaker:
    """Makes frames of a sound that comes in blocks."""

    def __init__(self, spec: FeatureSpec, rate: int) -> None:
        self._spec, self._rate = spec, rate
        self._resampler: Any = None
        self._came = self._samples = self._frames = 0
        self._rest_N: NDArray[Any] = np.empty(0, np.float32)

    @property
    def seconds(self) -> float:
        """How much sound has come."""
        return self._came / self._rate

    def add(self, samples_NC: NDArray[Any]) -> NDArray[Any]:
        """The frames (T, 64) that are whole with these samples."""
        if not len(samples_NC):
            return self._stored(np.empty((0, MEL_BANDS), np.float32))
        peak = max(float(samples_NC.max()), -float(samples_NC.min()))
        if not peak * INTEGER_SCALE.get(samples_NC.dtype.name, 1.0) < LARGEST:
            raise DecodeError(NOT_FINITE)
        self._came += len(samples_NC)
        return self._stored(self._take(self._at_16k(to_mono(samples_NC), last=False)))

    def end(self) -> NDArray[Any]:
        """The last frames (T, 64), where the sound ends; with ``tail="pad"`` up to a whole number of patches."""
        if self._came and self._resampler is not None:
            frames_TF = self._take(self._at_16k(np.empty(0, self._resampler.kind), last=True))
        else:
            frames_TF = np.empty((0, MEL_BANDS), np.float32)
        if not self._samples:
            raise DecodeError(EMPTY)
        if self._spec.tail == "pad":
            frames_TF = np.concatenate([frames_TF, self._padding()])
        if self._frames < PATCH_FRAMES:
            raise DecodeError(SHORT)
        return self._stored(frames_TF)

    def _at_16k(self, mono_N: NDArray[Any], last: bool) -> NDArray[np.float32]:
        if self._rate != SAMPLE_RATE:
            if self._resampler is None:
                self._resampler = _Resampler(self._rate, self._spec.resampler, mono_N.dtype)
            mono_N = self._resampler.resample(mono_N, last)
        return mono_N.astype(np.float32, copy=False)

    def _take(self, mono_N: NDArray[np.float32]) -> NDArray[Any]:
        """Frames of what was left and these samples at 16 kHz; what the next frame needs is kept."""
        self._samples += len(mono_N)
        mono_N = np.concatenate([self._rest_N, mono_N])
        frames_TF = frames_at_16k(mono_N)
        self._rest_N = mono_N[len(frames_TF) * HOP :]
        self._frames += len(frames_TF)
        return frames_TF

    def _padding(self) -> NDArray[Any]:
        """Frames that begin in the sound and end behind it, then silence up to the end of a patch."""
        rows = frame_count(padded_samples(self._samples)) - self._frames
        # What is left gets the frames that it would have at a sound's end: its own, padded, and the floor.
        left_TF = padded_frames_at_16k(self._rest_N)[:rows] if len(self._rest_N) else np.empty((0, MEL_BANDS))
        floor_TF = np.full((rows - len(left_TF), MEL_BANDS), FLOOR, np.float32)
        self._frames += rows
        return np.concatenate([left_TF.astype(np.float32), floor_TF])

    def _stored(self, frames_TF: NDArray[Any]) -> NDArray[Any]:
        return quantise(frames_TF, self._spec)


class _Resampler:
    """soxr to 16 kHz, with its state."""

    def __init__(self, rate: int, resampler: str, kind: np.dtype[Any]) -> None:
        import soxr

        self.kind = kind
        quality = resampler.removeprefix("soxr_")
        self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype=kind.name, quality=quality)

    def resample(self, mono_N: NDArray[Any], last: bool) -> NDArray[Any]:
        found: NDArray[Any] = self._stream.resample_chunk(mono_N, last=last)
        return found


def _miniaudio(path: Path) -> SoundBlocks | None:
    """FLAC and Vorbis by the decoders, and in the type, of ``decode``; None if they refuse."""
    import miniaudio
    import soundfile

    try:
        info = soundfile.info(str(path))
        check_rate(info.samplerate)
        kind = {"int16": "SIGNED16", "int32": "SIGNED32"}.get(dtype_of(info.subtype), "FLOAT32")
        frames = max(1, BLOCK_SAMPLES // info.channels)
        stream = miniaudio.stream_file(
            str(path), miniaudio.SampleFormat[kind], info.channels, info.samplerate, frames_to_read=frames
        )
        first = next(stream, None)
    except (miniaudio.DecodeError, soundfile.LibsndfileError):
        return None
    if first is None:
        return None
    pieces = (
        np.frombuffer(piece, piece.typecode).reshape(-1, info.channels) for piece in _whole(chain([first], stream))
    )
    return SoundBlocks(info.samplerate, pieces, info.duration)


def _whole(stream: Iterable[Any]) -> Iterator[Any]:
    """What there is of a file that is cut or damaged further on, as ``decode`` has it."""
    import miniaudio

    try:
        yield from stream
    except miniaudio.DecodeError:
        return


def _soundfile(path: Path) -> SoundBlocks:
    file = open_sound(str(path))
    return SoundBlocks(file.samplerate, sound_blocks(file, BLOCK_SAMPLES), file.frames / file.samplerate)


def _raw(stream: BinaryIO, channels: int, kind: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """Whole frames of samples as they come; a rest of less at the end is left out."""
    size = channels * kind.itemsize
    read = getattr(stream, "read1", stream.read)
    rest = b""
    while piece := read(BLOCK_SAMPLES * kind.itemsize):
        data = rest + piece
        whole = len(data) // size * size
        rest = data[whole:]
        if whole:
            yield np.frombuffer(data[:whole], kind).reshape(-1, channels)
