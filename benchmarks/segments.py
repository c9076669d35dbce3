"""Ten seconds out of a two-hour file, wherever they are: time, bytes read and memory, against decoding the whole file.

python benchmarks/segments.py [minutes]

The file is made of the example clips, as WAV, FLAC, Ogg Vorbis and MP3 (which is decoded from its start
whatever is wanted of it). A segment's time is the way of extraction,
from the store's bytes to frames, its file opened anew; positions are timed round robin in one process, the median of
nine. What is decoded whole is decoded as short files are, and one segment made to frames. Each way has a process of its
own, whose peak of resident memory it is; that of one that imports the library and nothing else is told with them.
Ratios within a run hold on any machine; times do not.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from earmark.features import FeatureSpec, frames_of, frames_of_sound
from earmark.features.clip import frames_of_cuts
from earmark.features.decode import decode
from earmark.features.sources import Ranges
from earmark.store.directory import Directory

CLIPS = sorted((Path(__file__).parents[1] / "examples" / "esc10" / "audio").glob("*.ogg"))
RATE = 44_100
SPEC = FeatureSpec()
SECONDS = 10.0
PLACES = (0.01, 0.5, 0.99)
ROUNDS = 9
MANY = 700
FORMATS = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"), "mp3": ("MP3", None)}
Found = dict[str, list[float]]


class Counted(Directory):
    """A folder that counts the bytes that are read of it."""

    read = 0

    def part(self, key: str, start: int, length: int) -> bytes:
        self.read += length
        return super().part(key, start, length)


def make(path: Path, seconds: int) -> None:
    """A file of so many seconds of real sound, written a clip at a time."""
    kind, subtype = FORMATS[path.suffix[1:]]
    left = seconds * RATE
    with soundfile.SoundFile(path, "w", RATE, 1, subtype, format=kind) as file:
        while left:
            for clip in CLIPS:
                samples_N = soundfile.read(clip, dtype="float32")[0][:left]
                file.write(samples_N)
                left -= len(samples_N)


def segments(path: Path, starts: list[list[float]], rounds: int) -> Found:
    """Seconds, and megabytes read, of each list of segments of ten seconds, cut in one pass."""
    store = Counted(path.parent)
    info = store.head(path.name)
    assert info is not None
    frames_of(CLIPS[0].read_bytes(), SPEC)  # what is loaded on first use
    took: list[list[float]] = [[] for _ in starts]
    read = [0.0 for _ in starts]
    for _ in range(rounds):
        for at, some in enumerate(starts):
            store.read, begun = 0, time.perf_counter()
            found = frames_of_cuts(Ranges(store, info).buffered(), SPEC, [(start, start + SECONDS) for start in some])
            took[at].append(time.perf_counter() - begun)
            read[at] = store.read / 1e6
            assert all(facts.reason is None for _, facts in found)
    return {"took": [statistics.median(times) for times in took], "read": read}


def whole(path: Path) -> Found:
    """Seconds to decode a file and make frames of ten seconds of it."""
    frames_of(CLIPS[0].read_bytes(), SPEC)
    begun = time.perf_counter()
    sound = decode(path.read_bytes())
    frames_of_sound(sound.segment(0.0, SECONDS), SPEC)
    return {"took": [time.perf_counter() - begun], "read": [path.stat().st_size / 1e6]}


def child(way: str, path: Path, seconds: int) -> None:
    """One way in this process; prints what it took as JSON."""
    found: Found = {}
    if way == "segment":
        found = segments(
            path, [[share * (seconds - SECONDS)] for share in PLACES], ROUNDS if path.suffix != ".mp3" else 1
        )
    elif way == "many":
        found = segments(path, [np.linspace(0, seconds - SECONDS, MANY).tolist()], 1)
    elif way == "whole":
        found = whole(path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**found, "peak": peak}))


def asked(way: str, path: Path, seconds: int) -> Any:
    """The same in a process of its own."""
    command = [sys.executable, __file__, way, str(path), str(seconds)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def main(minutes: str = "120") -> None:
    seconds = int(minutes) * 60
    with tempfile.TemporaryDirectory() as made:
        base = asked("none", Path(made), 0)["peak"]
        print(f"{minutes} minutes at {RATE} Hz, mono; the imports alone take {base:.0f} MiB")
        for suffix in FORMATS:
            path = Path(made, f"long.{suffix}")
            make(path, seconds)
            print(f"{suffix}, {path.stat().st_size / 1e6:.0f} MB")
            one, many, all_ = (asked(way, path, seconds) for way in ("segment", "many", "whole"))
            for place, took, read in zip(PLACES, one["took"], one["read"], strict=True):
                print(f"  {SECONDS:g} s at {place:4.0%}             {took * 1e3:9.1f} ms, {read:7.2f} MB read")
            print(f"  slowest to fastest        {max(one['took']) / min(one['took']):9.2f}, peak {one['peak']:.0f} MiB")
            print(
                f"  {MANY} segments in one pass {many['took'][0] * 1e3:9.0f} ms, {many['read'][0]:7.0f} MB read, "
                f"peak {many['peak']:.0f} MiB"
            )
            print(
                f"  the whole file decoded    {all_['took'][0] * 1e3:9.0f} ms, peak {all_['peak']:.0f} MiB: "
                f"{all_['took'][0] / max(one['took']):.0f} times the slowest segment"
            )
            path.unlink()


if __name__ == "__main__":
    if len(sys.argv) == 4:
        child(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main(*sys.argv[1:])
