"""ESC-10's whole workflow on the example clips, as ``earmark run`` executes it, without the time of training.

One small network is trained for a step, so that there is something to evaluate and compare; the seconds of the step
``train_model``, from its first word to its last, are taken off, the start of its process is not.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.harness import Figure
from benchmarks.machine import ROOT
from earmark.architectures import compare_request
from earmark.pipelines.local import open_place, run_pipeline
from earmark.progress import Progress
from earmark.store import open_store
from earmark.store.runs import Run, now, record
from earmark.tracking import DatasetFacts, RunContext, Tracker, connect, connection

TITLE = "The whole workflow without training"
DATA = ROOT / "examples" / "esc10"
SMALL = {"architecture": {"width": 0.1}, "train": {"steps": 1, "precision": "fp32"}}
ROUNDS = {False: 1, True: 5}
STEPS = 300
"""Whose curves MLflow is given."""


class Spans:
    """When each step of a run said its first and its last word."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}

    def event(self, event: Mapping[str, Any]) -> None:
        """Note the time of a step's word."""
        self.first.setdefault(event["step"], time.perf_counter())
        self.last[event["step"]] = time.perf_counter()

    def close(self) -> None:
        """Nothing more comes."""

    def seconds(self, step: str) -> float:
        """What a step took, all of its variants and partitions together, without the starts of their processes."""
        return sum(self.last[name] - self.first[name] for name in self.first if name.partition("/")[0] == step)

    def told(self) -> str:
        """The seconds of every step."""
        names = dict.fromkeys(name.partition("/")[0] for name in self.first)
        return ", ".join(f"{name} {self.seconds(name):.1f}" for name in names)


def measure(full: bool) -> Iterator[Figure]:
    """Seconds on the wall; the first time, then with every step done already; and MLflow's part of a network's run."""
    for name in ("EARMARK_STORE", "MLFLOW_TRACKING_URI", "EARMARK_WORK"):
        os.environ.pop(name, None)
    first, again, notes = [], [], []
    for _ in range(ROUNDS[full]):
        with tempfile.TemporaryDirectory() as folder:
            seconds, spans = _workflow(Path(folder))
            first.append(seconds - spans.seconds("train_model"))
            notes.append(spans.told())
            again.append(_workflow(Path(folder))[0])
    title = "120 clips: catalog, features, dataset, evaluation, comparison"
    yield Figure("workflow/first", title, tuple(first), "s", "less", "", 17, 10.0, 4.0, notes[-1])
    yield Figure("workflow/again", f"{title}, all done before", tuple(again), "s", "less")
    with tempfile.TemporaryDirectory() as folder:
        yield from _mlflow(Path(folder))


def _workflow(work: Path) -> tuple[float, Spans]:
    experiment = compare_request("quick", SMALL, ["fully_connected"])
    place, spans, run = open_place(work), Spans(), "study-bench"
    record(open_store(place.work / "store"), Run(run, "study", str(DATA), "", "quick", ("fully_connected",), now()))
    arguments = {
        "data": str(DATA),
        "experiment": experiment.to_json(),
        "variants": ["fully_connected"],
        "model": "",
        "run": run,
    }
    started = time.perf_counter()
    run_pipeline(place, "study", run, arguments, spans)
    return time.perf_counter() - started, spans


def _mlflow(folder: Path) -> Iterator[Figure]:
    """MLflow's part on SQLite: its import and tables, then a network's run with all of its curves."""
    os.environ |= {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}", "EARMARK_WORK": str(folder)}
    started = time.perf_counter()
    connect()
    yield Figure("workflow/mlflow/import", "MLflow: import, tables", (time.perf_counter() - started,), "s", "less")
    calls: Counter[str] = Counter()
    member = connection._Patient.__getattr__

    def counted(client: Any, name: str) -> Any:
        calls[name] += 1
        return member(client, name)

    started = time.perf_counter()
    with patch.object(connection._Patient, "__getattr__", counted):
        progress = Progress("train_model/bench", mode="off")
        facts = DatasetFacts("d" * 32, str(DATA), {"train": 80})
        child = Tracker(RunContext("bench", "compare"), facts, progress).child("key", "bench", {"train.steps": STEPS})
        for step in range(STEPS):
            child.log("train", {"step": step, "loss": 0.5, "learning_rate": 1e-3, "patches_per_s": 1000.0})
        child.finish()
    seconds = time.perf_counter() - started
    made = ", ".join(f"{name} {count}" for name, count in calls.items())
    title = f"MLflow: a network's run with {STEPS} steps of three curves"
    yield Figure("workflow/mlflow/run", title, (seconds,), "s", "less")
    yield Figure("workflow/mlflow/calls", title, (float(calls.total()),), "calls", "less", note=made)
