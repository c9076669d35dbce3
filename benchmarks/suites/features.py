"""Audio files to log-mel frames, each stage on one core, against VGGish's arithmetic, torchaudio and librosa.

Earmark's part also holds what the others leave out: the sound's digest, peak and clipping, and storing as uint8. The
others are given files, modules that are made once, and one thread; VGGish is its published formulas in float64 with the
resampler that it uses.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import resampy
import scipy.signal
import soundfile
import torch
import torchaudio
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.harness import Figure, Times, interleaved, ratios
from benchmarks.machine import cores
from benchmarks.sounds import CLIPS, RATE, rewritten
from earmark.features import FeatureSpec, decode, frames_of, log_mel, mel_matrix
from earmark.features.isolated import Workers
from earmark.features.logmel import resample, to_mono
from earmark.features.segments import WHOLE

TITLE = "Sound to log-mel frames"
SPEC = FeatureSpec()
NAMES = {"vggish": "VGGish's arithmetic", "torchaudio": "soundfile + torchaudio", "librosa": "librosa"}
FORMATS = {"ogg": "Ogg Vorbis", "wav": "WAV of 16 bits", "flac": "FLAC", "mp3": "MP3"}
LIMITS = {
    "ogg": {"vggish": (1, 12.0, 15.0), "torchaudio": (2, 1.3, 1.5), "librosa": (2, 1.5, 1.75)},
    "wav": {"vggish": (3, 35.0, 45.0), "torchaudio": (3, 1.4, 1.65), "librosa": (3, 1.9, 2.2)},
    "log_mel": {"vggish": (4, 4.0, 5.5), "torchaudio": (4, 1.6, 2.3)},
}
"""Number of the goal, its floor and what is wanted."""


def measure(full: bool) -> Iterator[Figure]:
    torch.set_num_threads(1)
    threadpool_limits(1)
    clips, rounds = (CLIPS[::2], 11) if full else (CLIPS[::8], 5)
    with tempfile.TemporaryDirectory() as folder:
        for suffix, name in FORMATS.items():
            paths = clips if suffix == "ogg" else rewritten(clips, suffix, Path(folder))
            works = {"earmark": earmark, "vggish": vggish, "torchaudio": torchaudio_modules(), "librosa": by_librosa}
            if suffix not in LIMITS:
                del works["vggish"]
            times = timed(works, paths, rounds)
            yield from against_peers(suffix, f"{name} to patches, one core", times, sum(map(seconds_of, paths)))
    waves = [resample(mono, rate) for mono, rate in map(mono_of, clips)]
    stages = {"earmark": lambda x: log_mel(x, 16000), "vggish": vggish_mel, "torchaudio": torchaudio_mel()}
    times = timed(stages, 5 * waves, 2 * rounds)
    yield from against_peers("log_mel", "log-mel from 16 kHz, one core", times, 5 * sum(map(len, waves)) / 16000)
    yield scaling(CLIPS if full else CLIPS[::2], rounds)
    yield from agreement(clips, waves)


def timed(works: dict[str, Callable[[Any], Any]], items: Sequence[Any], rounds: int) -> Times:
    """Processor time of each work over all items, in each round; each has a process and a heap of its own."""
    fork, spent = multiprocessing.get_context("fork"), [0.0]

    def turn(pipe: Connection) -> None:
        pipe.send(True)
        spent[0] += pipe.recv()

    pipes = {}
    for name, work in works.items():
        pipes[name], theirs = fork.Pipe()
        fork.Process(target=serve, args=(work, items, theirs), daemon=True).start()
        theirs.close()
    times = interleaved({name: partial(turn, pipe) for name, pipe in pipes.items()}, rounds, lambda: spent[0])
    for pipe in pipes.values():
        pipe.send(False)
    return times


def serve(work: Callable[[Any], Any], items: Sequence[Any], pipe: Connection) -> None:
    while pipe.recv():
        started = time.process_time()
        for item in items:
            work(item)
        pipe.send(time.process_time() - started)


def against_peers(what: str, title: str, times: Times, seconds: float) -> Iterator[Figure]:
    """A ratio to each peer, and the rate of audio beside it."""
    note = f"{seconds / statistics.median(times['earmark']):,.0f} times real time"
    for peer in list(times)[1:]:
        goal, floor, wanted = LIMITS.get(what, {}).get(peer, (0, None, None))
        name = f"features/{what}/{peer}"
        yield Figure(name, title, ratios(times, peer), "x", "more", NAMES[peer], goal, floor, wanted, note)


def earmark(path: Path) -> Any:
    return frames_of(path.read_bytes(), SPEC)


def vggish(path: Path) -> Any:
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    return vggish_mel(resampy.resample((samples / 32768.0).mean(axis=1), rate, 16000))


def vggish_mel(x: NDArray[Any]) -> NDArray[np.float64]:
    """Log-mel of a 16 kHz waveform by the formulas, in float64."""
    frames = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), 400)[::160]
    window = 0.5 - 0.5 * np.cos(2 * np.pi / 400 * np.arange(400))
    return np.log(np.abs(np.fft.rfft(frames * window, 512)) @ mel_matrix() + 0.01)


def torchaudio_modules() -> Callable[[Path], Any]:
    to_16k, mel = torchaudio.transforms.Resample(RATE, 16000), torchaudio_mel()

    def work(path: Path) -> Any:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        assert rate == RATE
        return mel(to_16k(torch.from_numpy(samples).mean(1)).numpy())

    return work


def torchaudio_mel() -> Callable[[NDArray[Any]], Any]:
    mel = torchaudio.transforms.MelSpectrogram(16000, 512, 400, 160, 125, 7500, n_mels=64, power=1, center=False)
    return lambda x: torch.log(mel(torch.from_numpy(x)) + 0.01)


def by_librosa(path: Path) -> Any:
    x, _ = librosa.load(path, sr=16000)
    settings = {"n_fft": 512, "hop_length": 160, "win_length": 400, "n_mels": 64, "fmin": 125, "fmax": 7500}
    return np.log(librosa.feature.melspectrogram(y=x, sr=16000, power=1, center=False, **settings) + 0.01)


def scaling(clips: list[Path], rounds: int) -> Figure:
    """The wall time of one worker of extraction over that of a worker a core, and over the cores."""
    sounds = [path.read_bytes() for path in clips]

    def extract(count: int) -> None:
        with Workers(count) as workers, ThreadPoolExecutor(count + 1) as pool:
            list(pool.map(lambda sound: workers.frames(sound, len(sound), SPEC, [WHOLE]), sounds))

    times = interleaved({"one": lambda: extract(1), "earmark": lambda: extract(cores())}, rounds, time.perf_counter)
    shares = tuple(ratio / cores() for ratio in ratios(times, "one"))
    title, note = "extraction with a worker a core: times one worker's rate, over the cores", f"{cores()} cores"
    return Figure("features/scaling", title, shares, "x", "more", "one worker", 5, 0.85, 0.94, note)


def agreement(clips: list[Path], waves: list[NDArray[Any]]) -> Iterator[Figure]:
    """How far float32 is from the formulas, and the resampler from an ideal one."""
    exact = [vggish_mel(x) for x in waves]
    off = [np.abs(log_mel(x, 16000) - right) for x, right in zip(waves, exact, strict=True)]
    longer = [vggish_mel(ideal(*mono_of(path))[: len(x)]) for x, path in zip(waves, clips, strict=True)]
    resampled = [np.abs(own - right) for own, right in zip(exact, longer, strict=True)]
    formulas, long_filter = "the formulas in float64", "a very long filter"
    for name, title, peer, value, floor, wanted in [
        ("max", "log-mel of the same waveform, furthest", formulas, max(map(np.max, off)), 5e-4, 3e-4),
        ("mean", "log-mel of the same waveform, mean", formulas, np.mean(list(map(np.mean, off))), 1e-6, 3e-7),
        ("resampler", "log-mel, resampled, mean", long_filter, np.mean(list(map(np.mean, resampled))), 2e-4, 5e-5),
    ]:
        yield Figure(f"features/agreement/{name}", title, (float(value),), "log units", "less", peer, 6, floor, wanted)


def ideal(mono_N: NDArray[Any], rate: int) -> NDArray[np.float64]:
    """A waveform at 16 kHz by a filter that is flat to 7.98 kHz and 140 dB down from 8 kHz on."""
    shared = np.gcd(rate, 16000)
    up, down = 16000 // shared, rate // shared
    taps = scipy.signal.firwin(1000 * down + 1, 7990.0, window=("kaiser", 14.0), fs=rate * up)
    return scipy.signal.resample_poly(mono_N.astype(np.float64), up, down, window=taps)


def mono_of(path: Path) -> tuple[NDArray[Any], int]:
    sound = decode(path.read_bytes())
    return to_mono(sound.samples_NC), sound.rate


def seconds_of(path: Path) -> float:
    return float(soundfile.info(path).duration)
