"""What ``earmark plan`` said of a comparison, against what the same comparison then took on the same machine.

Bytes are counted in the run's store. Requests are counted exactly in tests/unit/planning.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.harness import Figure
from benchmarks.machine import ROOT
from earmark.store import open_store
from earmark.store.runs import list_runs
from earmark.store.usage import spent

TITLE = "A plan against the run that it was made for: time and storage within 25 %"
FLOOR_PERCENT = 25.0
LEAST_SECONDS = 5.0
"""Shorter steps are starts of processes and have no floor."""
NETWORKS = "fully_connected,alexnet"
SPLITS = ("test", "train", "train", "train", "validation")


def measure(full: bool) -> Iterator[Figure]:
    """Rates measured, a run planned with them, the run; in how far the plan was off, by step and in all."""
    copies, steps = (4, 400) if full else (1, 60)
    with tempfile.TemporaryDirectory(prefix="earmark-plan-") as name:
        folder = Path(name)
        clips = _data(folder / "clips", copies)
        same = ["--preset", "quick", "--architectures", NETWORKS, "--steps", str(steps)]
        same += ["--set", "data.test_share=0.2", "--set", "data.validation_share=0.25", "--work", str(folder / "work")]
        size = f"--clips {clips} --seconds 5 --labels 10 --one-label".split()
        size += ["--data", str(folder / "clips")]
        planned = json.loads(_earmark("plan", *size, *same, "--json"))
        began = time.monotonic()
        _earmark("run", "compare", "--data", str(folder / "clips"), *same, "--json")
        took = time.monotonic() - began
        yield from _off(planned, folder / "work" / "store", took)


def _off(planned: dict[str, Any], kept: Path, took: float) -> Iterator[Figure]:
    store = open_store(str(kept))
    [run] = list_runs(store)
    for row in planned["steps"]:
        title = row["step"] + (f".{row['network']}" if row["network"] else "")
        real = spent(store, run.run, "extract_part.1" if title == "extract_part" else title).seconds
        floor = FLOOR_PERCENT if real >= LEAST_SECONDS else None
        yield _figure(f"seconds/{title}", f"{title}: time", row["seconds"], real, "s", floor)
    yield _figure("seconds/all", "the whole run: time", planned["seconds"], took, "s", FLOOR_PERCENT)
    stored = sum(info.size for info in store.list()) / 1e6
    yield _figure("stored", "the whole run: stored", planned["written_bytes"] / 1e6, stored, "MB", FLOOR_PERCENT)


def _figure(name: str, title: str, planned: float, real: float, unit: str, floor: float | None) -> Figure:
    note = f"planned {planned:.3g} {unit}, was {real:.3g} {unit}"
    off = 100 * abs(planned / real - 1)
    return Figure(f"plan/{name}", title, (off,), "%", "less", peer="the run", floor=floor, wanted=floor, note=note)


def _earmark(*arguments: str) -> str:
    """Standard output of a command, in an environment that names no server."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("EARMARK_", "MLFLOW_"))}
    command = [sys.executable, "-m", "earmark.pipelines.cli", *arguments]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout


def _data(folder: Path, copies: int) -> int:
    """The example clips, and as Ogg Vorbis what they are when they begin elsewhere: other clips to decode and keep."""
    source = ROOT / "examples" / "esc10"
    folder.mkdir()
    with (source / "clips.csv").open() as file:
        clips = list(csv.DictReader(file))
    with (folder / "clips.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "label", "split"))
        seen: dict[str, int] = {}
        for clip in clips:
            number = seen[clip["label"]] = seen.get(clip["label"], -1) + 1
            for copy in range(copies):
                name = f"{copy}-{clip['filename']}"
                _copy(source / "audio" / clip["filename"], folder / name, copy / copies)
                table.writerow((name, clip["label"], SPLITS[number % len(SPLITS)]))
    return copies * len(clips)


def _copy(source: Path, target: Path, turned: float) -> None:
    if not turned:
        shutil.copyfile(source, target)
        return
    samples_N, rate = soundfile.read(source, dtype="float32")
    soundfile.write(target, np.roll(samples_N, int(turned * len(samples_N))), rate, format="OGG", subtype="VORBIS")
