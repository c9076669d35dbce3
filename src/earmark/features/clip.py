"""One clip: from encoded audio to stored frames and facts. Extraction and inference both go this way."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from earmark.config import FeatureSpec, digest
from earmark.features.decode import DecodeError, Sound, decode
from earmark.features.logmel import INTEGER_SCALE, frames_at_16k, padded_frames_at_16k, resample, to_mono
from earmark.features.quantise import quantise
from earmark.features.segments import LONG_BYTES, WHOLE, Segment, cut
from earmark.features.spec import MEL_BANDS, PATCH_FRAMES

MISSING = "missing file"
EMPTY = "empty"
UNDECODABLE = "cannot be decoded"
"""Followed by a colon and the decoder's reason."""
SHORT = "shorter than one patch"
SILENT = "silent"
NOT_FINITE = "not finite"
PAST_END = "past the end"
"""Of a segment that begins where its file has ended, or later; followed by a colon and the file's length."""

FULL_SCALE = 32767 / 32768
"""A sample at or above this magnitude counts as clipped: the largest of 16 bits, of whatever type the sample is."""


LARGEST = 1e30
"""From here on a sample counts as infinite: sums over a window would leave float32's range."""


@dataclass(frozen=True)
class ClipFacts:
    """What decoding found out about a clip.

    Attributes:
        sound_sha256: of the mono 16 kHz float32 samples: equal for the same sound in WAV and FLAC; "" if none.
        seconds: duration as decoded.
        rate: of the file, in Hz.
        channels: of the file.
        peak: largest magnitude of the mono waveform, 1.0 is full scale.
        clipped_share: share of samples at full scale, over all channels.
        finite: False if a sample is infinite (or absurdly large) or not a number.
        reason: why there are no frames (one of this module's reasons), or None.
    """

    sound_sha256: str = ""
    seconds: float = 0.0
    rate: int = 0
    channels: int = 0
    peak: float = 0.0
    clipped_share: float = 0.0
    finite: bool = True
    reason: str | None = None


def amplitude(dbfs: float) -> float:
    """The magnitude of a level in dB of full scale."""
    return float(10 ** (dbfs / 20))


def clip_key(sha256: str, start_s: float | None = None, end_s: float | None = None) -> str:
    """What a clip's features are kept under: the digest of its file's bytes, with the segment where there is one.

    "" for a missing file (which has the digest "").
    """
    if (start_s is None and end_s is None) or not sha256:
        return sha256
    return digest([sha256, start_s, end_s])


def frames_of(
    audio: bytes, spec: FeatureSpec, start_s: float | None = None, end_s: float | None = None
) -> tuple[NDArray[Any], ClipFacts]:
    """Stored-precision frames (T, 64) and facts of encoded audio, or of its segment between two times in seconds.

    Bad audio raises nothing: it has no frames, and the facts tell the reason.
    """
    return frames_of_segments(audio, spec, [(start_s, end_s)])[0]


def frames_of_segments(
    audio: bytes, spec: FeatureSpec, segments: Sequence[Segment]
) -> list[tuple[NDArray[Any], ClipFacts]]:
    """What :func:`frames_of` gives, for each of several segments of one file.

    A file of ``LONG_BYTES`` or more is never decoded whole for its segments (see :mod:`earmark.features.segments`);
    any other is decoded once.
    """
    if len(audio) >= LONG_BYTES and WHOLE not in segments:
        return frames_of_cuts(io.BytesIO(audio), spec, segments)
    if len(audio) >= LONG_BYTES and len(segments) > 1:
        return [frames_of(audio, spec, *segment) for segment in segments]
    try:
        sound = decode(audio) if audio else None
    except DecodeError as error:
        return [_undecodable(error, spec) for _ in segments]
    if sound is None:
        return [(_no_frames(spec), ClipFacts(reason=EMPTY)) for _ in segments]
    seconds = len(sound.samples_NC) / sound.rate
    return [_frames_of_cut(sound.segment(*segment), segment, seconds, spec) for segment in segments]


def frames_of_cuts(
    file: BinaryIO, spec: FeatureSpec, segments: Sequence[Segment]
) -> list[tuple[NDArray[Any], ClipFacts]]:
    """Frames and facts of segments of a long file, given as a seekable stream; little else of it is read and decoded.

    Bad audio raises nothing: it has no frames, and the facts tell the reason.
    """
    found: dict[int, tuple[NDArray[Any], ClipFacts]] = {}
    try:
        for number, sound, seconds in cut(file, segments):
            if isinstance(sound, DecodeError):
                found[number] = _undecodable(sound, spec)
            else:
                found[number] = _frames_of_cut(sound, segments[number], seconds, spec)
    except DecodeError as error:
        return [_undecodable(error, spec) for _ in segments]
    return [found[number] for number in range(len(segments))]


def _frames_of_cut(
    sound: Sound, segment: Segment, seconds: float | None, spec: FeatureSpec
) -> tuple[NDArray[Any], ClipFacts]:
    """Frames and facts of a segment's samples, cut out of a file of so many seconds (None where nobody knows)."""
    if seconds and round((segment[0] or 0.0) * sound.rate) >= round(seconds * sound.rate):
        facts = {"rate": sound.rate, "channels": sound.samples_NC.shape[1]}
        return _no_frames(spec), ClipFacts(**facts, reason=f"{PAST_END}: the file has {seconds:.3f} s")
    return frames_of_sound(sound, spec)


def frames_of_sound(sound: Sound, spec: FeatureSpec) -> tuple[NDArray[Any], ClipFacts]:
    """Stored-precision frames (T, 64) and facts of decoded samples.

    With ``tail="pad"`` the waveform is filled with zeros to a whole number of patches, at least one.
    """
    count, channels = sound.samples_NC.shape
    about = {"seconds": count / sound.rate, "rate": sound.rate, "channels": channels}
    if not count:
        return _no_frames(spec), ClipFacts(**about, reason=EMPTY)
    native_peak = _peak(sound.samples_NC) * INTEGER_SCALE.get(sound.samples_NC.dtype.name, 1.0)
    if not native_peak < LARGEST:
        return _no_frames(spec), ClipFacts(**about, finite=False, reason=NOT_FINITE)
    mono_N = to_mono(sound.samples_NC)
    about["peak"] = native_peak if channels == 1 else _peak(mono_N)
    about["clipped_share"] = _clipped_share(sound.samples_NC) if native_peak >= FULL_SCALE else 0.0
    mono_N = resample(mono_N, sound.rate, spec.resampler).astype(np.float32, copy=False)
    about["sound_sha256"] = hashlib.sha256(mono_N.data).hexdigest()
    if not len(mono_N):
        return _no_frames(spec), ClipFacts(**about, reason=EMPTY)
    frames_TF = padded_frames_at_16k(mono_N) if spec.tail == "pad" else frames_at_16k(mono_N)
    if len(frames_TF) < PATCH_FRAMES:
        return _no_frames(spec), ClipFacts(**about, reason=SHORT)
    return quantise(frames_TF, spec), ClipFacts(**about)


def _undecodable(error: DecodeError, spec: FeatureSpec) -> tuple[NDArray[Any], ClipFacts]:
    return _no_frames(spec), ClipFacts(reason=f"{UNDECODABLE}: {error}")


def _no_frames(spec: FeatureSpec) -> NDArray[Any]:
    return np.empty((0, MEL_BANDS), spec.storage)


def _peak(samples: NDArray[Any]) -> float:
    """Largest magnitude, in the samples' own units; not finite if one of them is not."""
    return float(max(samples.max(), -float(samples.min())))


def _clipped_share(samples_NC: NDArray[Any]) -> float:
    limit = FULL_SCALE / INTEGER_SCALE.get(samples_NC.dtype.name, 1.0)
    return float(((samples_NC >= limit) | (samples_NC <= -limit)).mean())
