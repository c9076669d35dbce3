"""Audio files to log-mel frames against peers, one thread, all timed round robin in this one process.

python benchmarks/features.py [rounds]

The reference is VGGish's front end from its formulas (float64, NumPy), once with its own resampler where resampy is
installed, once with SciPy's polyphase one; Earmark's figure also holds what the others leave out: the sound's digest,
peak and clipping, and storing as uint8. Ratios within a run hold on any machine; times do not.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
import soundfile
import torch
import torchaudio
from threadpoolctl import threadpool_limits

from earmark.catalog import list_clips
from earmark.config import DataConfig
from earmark.features import (
    FeatureSpec,
    FrameStore,
    decode,
    extract_features,
    extract_part,
    frames_of,
    log_mel,
    mel_matrix,
)
from earmark.features.logmel import resample, to_mono
from earmark.progress import Progress
from earmark.store import open_store

CLIPS = sorted((Path(__file__).parents[1] / "examples" / "esc10" / "audio").glob("*.ogg"))[::4]
SPEC = FeatureSpec()
Work = Callable[[Path], Any]


def earmark(path: Path) -> Any:
    return frames_of(path.read_bytes(), SPEC)


def vggish_mel(x: Any) -> Any:
    """VGGish's log-mel of a 16 kHz waveform, in float64."""
    starts = np.arange(1 + (len(x) - 400) // 160) * 160
    window = 0.5 - 0.5 * np.cos(2 * np.pi / 400 * np.arange(400))
    frames = x[starts[:, None] + np.arange(400)] * window
    return np.log(np.abs(np.fft.rfft(frames, 512)) @ mel_matrix() + 0.01)


def vggish(resampled: Callable[[Any, int], Any]) -> Work:
    def work(path: Path) -> Any:
        samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
        return vggish_mel(resampled((samples / 32768.0).mean(axis=1), rate))

    return work


def polyphase(x: Any, rate: int) -> Any:
    shared = np.gcd(rate, 16000)
    return scipy.signal.resample_poly(x, 16000 // shared, rate // shared)


def torchaudio_modules() -> tuple[Work, Any]:
    to_16k = torchaudio.transforms.Resample(44100, 16000)
    mel = torchaudio.transforms.MelSpectrogram(16000, 512, 400, 160, 125, 7500, n_mels=64, power=1, center=False)

    def work(path: Path) -> Any:
        samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
        return torch.log(mel(to_16k(torch.from_numpy(samples).mean(1))) + 0.01)

    return work, mel


def peers() -> dict[str, Work]:
    found = {"VGGish formulas + resample_poly": vggish(polyphase), "soundfile + torchaudio": torchaudio_modules()[0]}
    if importlib.util.find_spec("resampy"):
        import resampy

        found["VGGish formulas + resampy"] = vggish(lambda x, rate: resampy.resample(x, rate, 16000))
    if importlib.util.find_spec("librosa"):
        import librosa

        def work(path: Path) -> Any:
            x, _ = librosa.load(path, sr=16000)
            settings = {"n_fft": 512, "hop_length": 160, "win_length": 400, "n_mels": 64, "fmin": 125, "fmax": 7500}
            return np.log(librosa.feature.melspectrogram(y=x, sr=16000, power=1, center=False, **settings) + 0.01)

        found["librosa"] = work
    return found


def round_robin(works: dict[str, Callable[[Any], Any]], items: list[Any], rounds: int) -> dict[str, float]:
    """Median processor time an item, in ms."""
    for work in works.values():
        for item in items[:3]:
            work(item)
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.process_time()
            for item in items:
                work(item)
            times[name].append((time.process_time() - start) / len(items) * 1000)
    return {name: statistics.median(found) for name, found in times.items()}


def show(title: str, times: dict[str, float], seconds: float) -> None:
    print(f"{title}: ms a clip, times real time, ratio to Earmark")
    for name, ms in times.items():
        print(f"  {name:34s} {ms:8.2f} {1000 * seconds / ms:8.0f}x {ms / times['earmark']:8.2f}")


def scaling(paths: list[Path], rounds: int) -> None:
    """Wall time of extraction with one thread and with one a core."""
    cores = len(os.sched_getaffinity(0))
    walls: dict[int, list[float]] = {1: [], cores: []}
    for _ in range(rounds):
        for threads, found in walls.items():
            with ThreadPoolExecutor(threads) as pool:
                start = time.perf_counter()
                list(pool.map(earmark, paths))
                found.append(time.perf_counter() - start)
    one, all_cores = (min(found) for found in (walls[1], walls[cores]))
    print(f"threads: {cores} are {one / all_cores:.2f} times as fast as one ({one / all_cores / cores:.2f} a core)")


def partitions(rounds: int) -> None:
    """Processor time of a folder's extraction in one partition and in four, one after another, and their joining."""
    config, quiet = DataConfig(), Progress("extract_part", mode="off")
    times: dict[int, list[float]] = {1: [], 4: []}
    for _ in range(rounds):
        for parts, found in times.items():
            with tempfile.TemporaryDirectory() as folder:
                store = open_store(folder)
                catalog = list_clips(store, str(CLIPS[0].parent), quiet)
                start = time.process_time()
                for part in range(1, parts + 1):
                    extract_part(store, catalog, SPEC, config, part, parts, quiet)
                extract_features(store, catalog, SPEC, config, quiet)
                found.append(time.process_time() - start)
    one, four = (statistics.median(found) for found in times.values())
    print(f"partitions: four take {four:.2f} s of processor time where one takes {one:.2f} s ({four / one - 1:+.1%})")


def gathering(shards: int, storage: str, batches: int = 300) -> None:
    rows = 1_200_000 // shards
    draw = np.random.default_rng(0)
    spec = FeatureSpec.model_validate({"storage": storage})
    store = FrameStore([draw.integers(0, 255, (rows, 64)).astype(storage) for _ in range(shards)], spec)
    shard, row = draw.integers(0, shards, (batches, 128)), draw.integers(0, rows - 96, (batches, 128))
    times = []
    for _ in range(5):
        start = time.process_time()
        for shard_B, row_B in zip(shard, row, strict=True):
            store.gather(shard_B, row_B)
        times.append(time.process_time() - start)
    print(f"random batches of 128, {storage}, {shards} shards: {batches * 128 / min(times):,.0f} patches/s")


def main(rounds: int = 5) -> None:
    torch.set_num_threads(1)
    threadpool_limits(1)
    seconds = statistics.mean(soundfile.info(path).duration for path in CLIPS)
    works = {"earmark": earmark, **peers()}
    with tempfile.TemporaryDirectory() as folder:
        show("Ogg Vorbis", round_robin(works, CLIPS, rounds), seconds)
        wavs = [Path(folder, path.stem + ".wav") for path in CLIPS]
        for source, path in zip(CLIPS, wavs, strict=True):
            soundfile.write(path, *soundfile.read(source, dtype="int16"))
        show("WAV, 16 bit", round_robin(works, wavs, rounds), seconds)
        scaling(CLIPS, rounds)
    partitions(rounds)
    sounds = [decode(path.read_bytes()) for path in CLIPS]
    waves = [resample(to_mono(sound.samples_NC), sound.rate) for sound in sounds]
    mel = torchaudio_modules()[1]
    stages = {
        "earmark": lambda x: log_mel(x, 16000),
        "VGGish formulas": lambda x: vggish_mel(x.astype(np.float64)),
        "torchaudio": lambda x: torch.log(mel(torch.from_numpy(x)) + 0.01),
    }
    show("log-mel alone, from 16 kHz", round_robin(stages, waves, rounds), seconds)
    off = [np.abs(log_mel(x, 16000) - vggish_mel(x.astype(np.float64))) for x in waves]
    print(
        f"difference to the formulas in float64: {max(map(np.max, off)):.1e} at most, {np.mean(off[0]):.1e} on average"
    )
    for storage in ("uint8", "float16"):
        for shards in (1, 20):
            gathering(shards, storage)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
