"""Clips with made-up labels, for the probe to measure with."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from earmark.features import SAMPLE_RATE

CLIPS, LABELS = 40, 4
"""Clips that are decoded, and their labels."""
SPLITS = ("train", "train", "train", "validation", "test")
SHARES = {"test_share": 0.2, "validation_share": 0.25}
"""What these are in the config of data that names no splits."""
LONGEST_SECONDS = 10.0


@dataclass(frozen=True)
class Sample:
    """A few clips with made-up labels."""

    folder: Path
    seconds: float
    """Of all."""
    encoded_bytes_per_second: float


def make_sample(folder: Path, seconds: float, sources: Sequence[bytes] = ()) -> Sample:
    """A data set for the probe: the given files, or Ogg Vorbis of noise and tones.

    Args:
        folder: to make.
        seconds: of each made-up clip, ten at most.
        sources: encoded files to take in their place.
    """
    import soundfile

    from earmark.features.decode import decode

    folder.mkdir(parents=True)
    rng, length = np.random.default_rng(0), min(seconds, LONGEST_SECONDS)
    total = 0.0
    with (folder / "clips.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "label", "split"))
        for number in range(len(sources) or CLIPS):
            name = f"{number:04d}{_suffix(sources[number]) if sources else '.ogg'}"
            if sources:
                (folder / name).write_bytes(sources[number])
                sound = decode(sources[number])
                total += len(sound.samples_NC) / sound.rate
            else:
                soundfile.write(folder / name, _sound(rng, length), 44_100, format="OGG", subtype="VORBIS")
                total += length
            split = SPLITS[number // LABELS % len(SPLITS)]
            table.writerow((name, f"label{number % LABELS}", split))
    encoded = sum(path.stat().st_size for path in folder.iterdir() if path.suffix != ".csv")
    return Sample(folder, total, encoded / total)


def make_tiny_clips(folder: Path, count: int) -> None:
    """WAV files of a tenth of a second, as a folder with a CSV."""
    import soundfile

    folder.mkdir()
    rng = np.random.default_rng(count)
    with (folder / "clips.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "label"))
        for number in range(count):
            samples_N = rng.normal(0, 0.1, SAMPLE_RATE // 10).clip(-1, 1)
            soundfile.write(folder / f"{number:06d}.wav", samples_N, SAMPLE_RATE, subtype="PCM_16")
            table.writerow((f"{number:06d}.wav", f"label{number % LABELS}"))


def _sound(rng: np.random.Generator, seconds: float) -> Any:
    """Noise and a tone, at 44.1 kHz: what an encoder spends about as many bytes on as on sounds of nature."""
    time_N = np.arange(int(seconds * 44_100)) / 44_100
    tone_N = 0.3 * np.sin(2 * np.pi * rng.uniform(200, 4000) * time_N)
    return (tone_N + rng.normal(0, 0.1, len(time_N))).clip(-1, 1).astype(np.float32)


def _suffix(data: bytes) -> str:
    heads = {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg"}
    return heads.get(data[:4], ".mp3")
