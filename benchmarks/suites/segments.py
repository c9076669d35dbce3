"""Ten seconds out of a long file, wherever they are: time, bytes read and memory, against decoding the whole file.

The file is made of the example clips. A segment's way is that of extraction, from the store's bytes to frames, its file
opened anew. Each way has a process of its own, whose peak of resident memory counts beyond that of the imports.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Figure, interleaved
from benchmarks.machine import ROOT
from benchmarks.sounds import CLIPS, long_file
from earmark.features import FeatureSpec, frames_of, frames_of_sound
from earmark.features.clip import frames_of_cuts
from earmark.features.decode import decode
from earmark.features.sources import Ranges
from earmark.store.directory import Directory

TITLE = "Segments of a long recording"
SPEC = FeatureSpec()
SECONDS = 10.0
PLACES = {"start": 0.01, "middle": 0.5, "end": 0.99}
FORMATS = ("wav", "flac", "ogg", "mp3")


def measure(full: bool) -> Iterator[Figure]:
    minutes = 120 if full else 10
    with tempfile.TemporaryDirectory() as folder:
        base = found_by("none", Path(folder), 0)["peak"]
        for suffix in FORMATS if full else FORMATS[:3]:
            path = Path(folder, f"long.{suffix}")
            long_file(path, minutes * 60)
            yield from of_one_file(path, minutes * 60, base)
            path.unlink()


def of_one_file(path: Path, seconds: int, base: float) -> Iterator[Figure]:
    """A segment against the whole file, the places against each other, many segments in one pass, and memory."""
    form = path.suffix[1:]
    title, name = f"{form} of {seconds // 60} minutes", f"segments/{form}"
    whole, one, all_ = (found_by(way, path, seconds) for way in ("whole", "one", "many"))
    slowest = tuple(map(max, zip(*one["took"].values(), strict=True)))
    fastest = tuple(map(min, zip(*one["took"].values(), strict=True)))
    gains = tuple(whole["took"]["whole"][0] / took for took in slowest)
    note = f"{1000 * min(slowest):.1f} ms, {one['read']:.1f} MB read"
    yield Figure(f"{name}/whole", f"{title}: 10 s of it", gains, "x", "more", "decoding it whole", note=note)
    spread = tuple(high / low for high, low in zip(slowest, fastest, strict=True))
    yield Figure(f"{name}/places", f"{title}: slowest of three places", spread, "x", "less", "the fastest")
    yield Figure(f"{name}/memory", f"{title}: memory for 10 s of it", (one["peak"] - base,), "MiB", "less")
    took = tuple(all_["took"]["many"])
    note = f"{all_['peak'] - base:.0f} MiB, {all_['read']:,.0f} MB read"
    yield Figure(f"{name}/many", f"{title}: {many(seconds)} segments in one pass", took, "s", "less", note=note)


def many(seconds: int) -> int:
    """Half as many segments as would cover the file, some 360 of two hours."""
    return seconds // int(2 * SECONDS)


class Counted(Directory):
    """A folder that counts the bytes that are read of it."""

    read = 0

    def part(self, key: str, start: int, length: int) -> bytes:
        self.read += length
        return super().part(key, start, length)


def found_by(way: str, path: Path, seconds: int) -> Any:
    """What one way took, in a process of its own: seconds by work, megabytes of one turn, peak of memory in MiB."""
    command = [sys.executable, "-m", "benchmarks.suites.segments", way, str(path), str(seconds)]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def alone(way: str, path: Path, seconds: int) -> dict[str, Any]:
    """The same in this process."""
    frames_of(CLIPS[0].read_bytes(), SPEC)  # what is loaded on first use
    store = Counted(path.parent)
    works: dict[str, Callable[[], Any]] = {}
    if way == "whole":
        works["whole"] = lambda: frames_of_sound(decode(path.read_bytes()).segment(0.0, SECONDS), SPEC)
    elif way == "one":
        for place, share in PLACES.items():
            works[place] = lambda start=share * (seconds - SECONDS): cut(store, path.name, [start])
    elif way == "many":
        works["many"] = lambda: cut(store, path.name, np.linspace(0, seconds - SECONDS, many(seconds)).tolist())
    rounds = 5 if way == "one" and path.suffix != ".mp3" else 1
    took = interleaved(works, rounds, time.perf_counter) if works else {}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"took": took, "read": store.read / 1e6 / ((rounds + 1) * max(1, len(works))), "peak": peak}


def cut(store: Directory, name: str, starts: list[float]) -> None:
    info = store.head(name)
    assert info is not None
    found = frames_of_cuts(Ranges(store, info).buffered(), SPEC, [(start, start + SECONDS) for start in starts])
    assert all(facts.reason is None for _, facts in found)


if __name__ == "__main__":
    print(json.dumps(alone(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
