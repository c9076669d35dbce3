"""Scenes to sound: a bed of noise, and events over it at their stated levels. Letters: N samples, F frequencies."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from earmark.corpus.scenes import Event, Mix, Scene, Source, rng_of
from earmark.features import SAMPLE_RATE, decode
from earmark.features.logmel import resample, to_mono
from earmark.store import Store

FADE = SAMPLE_RATE // 100
"""Samples over which an event comes and goes: a cut must not click."""
LOWEST_HZ = 60.0
"""The bed has nothing below: power that nobody hears must not count in the SNR."""
HIGHEST_PEAK = 0.9
"""A louder scene is scaled down as a whole."""

Sounds = Callable[[Source], NDArray[np.float32]]


def sound_of(root: Store, source: Source) -> NDArray[np.float32]:
    """A source at 16 kHz, (N,).

    Raises:
        DecodeError: it can no longer be decoded.
        MissingObject: it is gone.
    """
    sound = decode(root.get(source.uri)).segment(source.start_s, source.end_s)
    return np.asarray(resample(to_mono(sound.samples_NC), sound.rate), np.float32)


def render(mix: Mix, scene: Scene, sounds: Sounds) -> NDArray[np.float32]:
    """A scene's samples at 16 kHz, (N,).

    The SNR of an event is its mean power over its length, fades included, over the bed's mean power over the scene.
    """
    mixed_N = bed(mix, scene)
    power = float(np.square(mixed_N).mean())
    for event in scene.events:
        cut_N = _faded(sounds(event.source), event)
        gain = np.sqrt(power * 10 ** (event.snr_db / 10) / max(float(np.square(cut_N).mean()), 1e-20))
        mixed_N[event.onset : event.onset + event.length] += gain * cut_N
    return (mixed_N * min(1.0, HIGHEST_PEAK / float(np.abs(mixed_N).max()))).astype(np.float32)


def bed(mix: Mix, scene: Scene) -> NDArray[np.float64]:
    """Steady noise whose power falls with frequency as the scene says, (N,)."""
    rng = rng_of(mix.seed, scene.name, "bed")
    samples = round(mix.seconds * SAMPLE_RATE)
    hertz_F = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE)
    shape_F = np.where(hertz_F >= LOWEST_HZ, np.maximum(hertz_F, LOWEST_HZ) ** (-scene.slope / 2), 0.0)
    noise_N = np.fft.irfft(shape_F * np.exp(2j * np.pi * rng.random(len(hertz_F))), samples)
    return np.asarray(noise_N * 10 ** (scene.bed_dbfs / 20) / np.sqrt(np.square(noise_N).mean()))


def flac(mono_N: NDArray[np.float32]) -> bytes:
    """16-bit FLAC at 16 kHz."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, mono_N, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _faded(mono_N: NDArray[np.float32], event: Event) -> NDArray[np.float64]:
    cut_N = mono_N[event.first : event.first + event.length].astype(np.float64)
    fade = min(FADE, len(cut_N) // 2)
    ramp_N = (np.arange(fade) + 0.5) / fade
    cut_N[:fade] *= ramp_N
    cut_N[len(cut_N) - fade :] *= ramp_N[::-1]
    return cut_N
