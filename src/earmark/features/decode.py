"""Encoded audio to samples, each file opened once by the fastest safe decoder of its format, known by its first bytes.

Decoders are imported where they are used: whoever only reads stored frames does not pay for them.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from earmark.errors import EarmarkError

# libsndfile's names of encodings that a type holds exactly; all others (MP3, Opus, Vorbis) are decoded to float32.
INT16_SUBTYPES = {
    *("PCM_S8", "PCM_U8", "PCM_16", "DPCM_8", "DPCM_16", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610"),
    *("G721_32", "G723_24", "G723_40", "VOX_ADPCM", "NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32", "ALAC_16"),
}
INT32_SUBTYPES = {"PCM_24", "PCM_32", "ALAC_20", "ALAC_24", "ALAC_32"}
WAVE_FORMAT_PCM = 1
# Those that no decoder here reads are listed all the same: a clip is reported, never passed over in silence.
AUDIO_SUFFIXES = frozenset(
    {
        ".wav",
        ".wave",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".aif",
        ".aiff",
        ".aifc",
        ".au",
        ".snd",
        ".w64",
        ".rf64",
    }
    | {".caf", ".m4a", ".aac", ".wma"}
)


BLOCK_SAMPLES = 2**17
"""Samples in a block, over all channels: 3 s of mono CD sound, which stay in the cache on their way to frames."""
TRUSTED_SAMPLES = 2**25
"""Samples, over all channels, up to which memory is taken at once for what a header claims."""
RATES = range(100, 10_000_001)
"""Sampling rates of real recordings, in Hz; elsewhere the resampler would take any time and memory."""


class DecodeError(EarmarkError):
    """Bytes that no decoder takes; the message is the decoder's reason in a few words."""


@dataclass(frozen=True)
class Sound:
    """Decoded samples (N, channels) at the file's own rate and in its own type: int16, int32, float32 or float64."""

    samples_NC: NDArray[Any]
    rate: int

    def segment(self, start_s: float | None, end_s: float | None) -> Sound:
        """The part between two times in seconds; None stands for the file's start or end."""
        first = round((start_s or 0.0) * self.rate)
        last = None if end_s is None else round(end_s * self.rate)
        return Sound(self.samples_NC[first:last], self.rate)


def decode(data: bytes) -> Sound:
    """The sound in the bytes of a file (WAV of every sample type, FLAC, Ogg Vorbis, Opus, MP3, AIFF …).

    Raises:
        DecodeError: with the decoder's reason.
    """
    if not data:
        raise DecodeError("the file is empty")
    _keep_memory()
    sound = None
    if data[:4] == b"RIFF":
        sound = _pcm16_wav(data)
    elif data[:4] == b"fLaC":
        sound = _flac(data)
    elif data[:4] == b"OggS" and data[28:35] == b"\x01vorbis":
        sound = _vorbis(data)
    refuse_mp4(data)
    sound = sound or _soundfile(data)
    check_rate(sound.rate)
    return sound


@cache
def _keep_memory() -> None:
    """Have glibc keep what it frees, up to 32 MiB: a quarter of the time from Ogg to frames was page faults.

    It gives the top of its heap back, clip after clip, beyond twice the largest mapped block that was ever freed
    (mallopt(3), M_MMAP_THRESHOLD); this block is never touched.
    """
    np.empty(2**24, np.uint8)


def refuse_mp4(head: bytes) -> None:
    """Raise the :class:`DecodeError` of a file that begins as MP4 does."""
    if head[4:8] == b"ftyp":
        raise DecodeError("MP4 and M4A are not read; convert it to FLAC or WAV")


def check_rate(rate: int) -> None:
    """Raise the :class:`DecodeError` of a sampling rate that no recording has."""
    if rate not in RATES:
        raise DecodeError(f"a sampling rate of {rate} Hz")


def _pcm16_wav(data: bytes) -> Sound | None:
    """The commonest WAV read in place; None where anything is out of the ordinary, for libsndfile to judge.

    Through libsndfile the same costs a third of the whole way to log-mel frames.
    """
    if data[8:12] != b"WAVE":
        return None
    at, form = 12, None
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"fmt " and size >= 16 and at + 24 <= len(data):
            form = struct.unpack_from("<HHIIHH", data, at + 8)
        if name == b"data" and form is not None:
            tag, channels, rate, _, block, bits = form
            if (tag, bits, block) != (WAVE_FORMAT_PCM, 16, 2 * channels) or not channels or not rate:
                return None
            samples = np.frombuffer(data, "<i2", min(size, len(data) - at - 8) // block * channels, at + 8)
            return Sound(samples.reshape(-1, channels), rate)
        at += 8 + size + size % 2
    return None


def _vorbis(data: bytes) -> Sound | None:
    """Vorbis by stb_vorbis at its native rate and channels, half as fast again as libsndfile; None if it refuses.

    Straight into NumPy's memory: ``miniaudio.decode`` copies all of it twice, which takes a quarter of its time.
    """
    from miniaudio import ffi, lib

    stream = lib.stb_vorbis_open_memory(data, len(data), ffi.new("int *"), ffi.NULL)
    if not stream:
        return None
    try:
        about = lib.stb_vorbis_get_info(stream)
        if about.channels > 2:  # of 5.1 sound it makes noise
            return None
        claimed = lib.stb_vorbis_stream_length_in_samples(stream) * about.channels
        size = max(BLOCK_SAMPLES, min(claimed, TRUSTED_SAMPLES)) // about.channels + 1
        pieces: list[NDArray[Any]] = []
        while not pieces or len(pieces[-1]) == size:
            piece_NC = np.empty((size, about.channels), np.float32)
            floats = ffi.from_buffer("float[]", piece_NC)
            count = lib.stb_vorbis_get_samples_float_interleaved(stream, about.channels, floats, len(floats))
            pieces.append(piece_NC[:count])
    finally:
        lib.stb_vorbis_close(stream)
    samples_NC = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    return Sound(samples_NC, about.sample_rate) if len(samples_NC) else None


def _flac(data: bytes) -> Sound | None:
    """FLAC by dr_flac at its native rate, channels and width, 1.7 times faster than libsndfile; None if it refuses."""
    import miniaudio

    packed = int.from_bytes(data[18:22], "big")
    rate, channels, bits = packed >> 12, (packed >> 9 & 7) + 1, (packed >> 4 & 31) + 1
    width, dtype = ("SIGNED16", "int16") if bits <= 16 else ("SIGNED32", "int32")
    if not rate:
        return None
    try:
        sound = miniaudio.decode(data, miniaudio.SampleFormat[width], channels, rate)
    except miniaudio.DecodeError:
        return None
    samples = np.frombuffer(sound.samples, dtype)
    return Sound(samples.reshape(-1, channels), rate) if len(samples) else None


def _soundfile(data: bytes) -> Sound:
    with open_sound(io.BytesIO(data)) as file:
        if file.frames * file.channels <= TRUSTED_SAMPLES:
            return Sound(read_sound(file, file.frames), file.samplerate)
        blocks = [np.empty((0, file.channels), dtype_of(file.subtype)), *sound_blocks(file, BLOCK_SAMPLES)]
        return Sound(np.concatenate(blocks), file.samplerate)


def open_sound(source: str | BinaryIO) -> Any:
    """A file (or a seekable stream of its bytes) opened by libsndfile, to be read by :func:`read_sound`.

    python-soundfile seeks after each read, upon which MP3 and Opus go on with other samples (of MP3 up to half of full
    scale away); so it is told that it cannot.

    Raises:
        DecodeError: with libsndfile's reason.
    """
    import soundfile

    try:
        file = soundfile.SoundFile(source)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError) as error:
        raise told(error) from error
    check_rate(file.samplerate)
    file.seekable = lambda: False
    return file


def read_sound(file: Any, frames: int) -> NDArray[Any]:
    """The next samples (N, channels) of an open file in their own type, fewer where it ends.

    Raises:
        DecodeError: with libsndfile's reason.
    """
    import soundfile

    try:
        samples_NC: NDArray[Any] = file.read(frames, dtype=dtype_of(file.subtype), always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError) as error:
        raise told(error) from error
    return samples_NC


def sound_blocks(file: Any, samples: int) -> Iterator[NDArray[Any]]:
    """All samples (N, channels) of an open file, so many over all channels at a time; it is closed at the end.

    Raises:
        DecodeError: with libsndfile's reason, at the block that cannot be decoded.
    """
    with file:
        frames, left = max(1, samples // file.channels), file.frames
        while left > 0 and len(samples_NC := read_sound(file, min(frames, left))):
            left -= len(samples_NC)
            yield samples_NC


def told(error: Exception) -> DecodeError:
    """libsndfile's reason in a few words."""
    text = getattr(error, "error_string", "") or str(error) or type(error).__name__
    return DecodeError(text.strip().rstrip(".").lower())


def dtype_of(subtype: str) -> str:
    """The type that samples of one of libsndfile's encodings are decoded to."""
    if subtype in INT16_SUBTYPES:
        return "int16"
    if subtype in INT32_SUBTYPES:
        return "int32"
    return "float64" if subtype == "DOUBLE" else "float32"
