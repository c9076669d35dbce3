"""The example clips, written anew in every format, one by one or as one long recording."""

from __future__ import annotations

from pathlib import Path

import soundfile

from benchmarks.machine import ROOT

CLIPS = sorted((ROOT / "examples" / "esc10" / "audio").glob("*.ogg"))
RATE = 44_100
SUBTYPES = {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS", "mp3": None}


def rewritten(clips: list[Path], suffix: str, folder: Path) -> list[Path]:
    """Each clip in another format."""
    paths = [folder / f"{clip.stem}.{suffix}" for clip in clips]
    for clip, path in zip(clips, paths, strict=True):
        soundfile.write(path, *soundfile.read(clip, dtype="int16"), subtype=SUBTYPES[suffix])
    return paths


def long_file(path: Path, seconds: int) -> None:
    """A mono file of so many seconds of real sound, written a clip at a time."""
    left = seconds * RATE
    with soundfile.SoundFile(path, "w", RATE, 1, SUBTYPES[path.suffix[1:]]) as file:
        while left:
            for clip in CLIPS:
                samples_N = soundfile.read(clip, dtype="float32")[0][:left]
                file.write(samples_N)
                left -= len(samples_N)
