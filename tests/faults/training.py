"""Training killed at random steps, in every way, against the undisturbed run: the final weights must be the same bits.

    python tests/faults/training.py [--kills 30] [--seed 0] [--architecture fully_connected] [--steps 3000]

Half of the kills fall on a run of one process, half on one of two. Victims are a worker, ``torchrun`` and the
supervisor, by SIGKILL and SIGTERM; a supervisor is started again, as Kubernetes would, everything else starts again by
itself. Ends with 1 if any weight differs or a process is left behind.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from earmark.catalog import assemble_dataset, build_catalog
from earmark.config import DataConfig, FeatureSpec, make_config, parse_config
from earmark.features import extract_features
from earmark.progress import Progress
from earmark.store import Manifest, open_store
from earmark.tracking import RunContext

EXAMPLES = Path(__file__).parents[2] / "examples" / "esc10"


@dataclass
class Kill:
    """One kill, and what followed."""

    step: int
    victim: str
    how: signal.Signals
    at: int = 0
    """Step of the progress line that triggered it."""
    resumed: int | None = None
    """Step from which training went on."""


@dataclass
class Run:
    """One training, disturbed or not."""

    processes: int
    kills: list[Kill] = field(default_factory=list)
    sha256: str = ""
    left_behind: list[int] = field(default_factory=list)
    output: list[str] = field(default_factory=list)


def prepare(folder: Path) -> dict[str, str]:
    """A store with the example clips as a dataset; the arguments that name it."""
    store, config, quiet = open_store(folder), DataConfig(), Progress("kills", mode="off")
    catalog = build_catalog(store, str(EXAMPLES), config, quiet)
    patches = extract_features(store, catalog, FeatureSpec(), config, quiet)
    dataset = assemble_dataset(store, catalog, patches, config, quiet)
    return {"store": str(folder), "dataset": dataset.to_json(), "patches": patches.to_json()}


def supervise(job: dict[str, Any]) -> None:
    """What a pod does: the step, its progress on standard output, the digest of its weights last."""
    from earmark.training import train_model

    store = open_store(job["store"])
    made = train_model(
        store,
        Manifest.from_json(job["dataset"]),
        Manifest.from_json(job["patches"]),
        "kills",
        parse_config(job["config"]),
        RunContext(job["run"], "kills"),
        Progress("kills", mode="json"),
    )
    print(json.dumps({"earmark": "weights", "sha256": made.files["weights.safetensors"].sha256}), flush=True)


def train(run: Run, job: dict[str, Any]) -> Run:
    """Train to the end, killing on the way and starting the supervisor again when it was the victim."""
    coming = list(run.kills)
    while not run.sha256:
        environment = {**os.environ, "EARMARK_PROCESSES": str(run.processes)}
        command = [sys.executable, __file__, "--supervise", json.dumps(job)]
        before = len(coming)
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        ) as process:
            seen = follow(run, coming, process)
        # The pipe has ended, so nobody writes any more; a process closes it a moment before it is gone.
        until = time.monotonic() + 30
        while any(map(lives, seen)) and time.monotonic() < until:
            time.sleep(0.01)
        run.left_behind += [pid for pid in seen if lives(pid)]
        if not run.sha256 and len(coming) == before:
            sys.exit(f"{''.join(run.output[-30:])}training ended with {process.returncode} though nobody killed it")
    return run


def follow(run: Run, coming: list[Kill], process: subprocess.Popen[str]) -> set[int]:
    """Read a supervisor's lines to their end and kill where a step is reached; the workers' process ids."""
    workers: dict[int, int] = {}
    seen: set[int] = set()
    for told in events(run, process):
        if told["earmark"] == "worker":
            workers[told["rank"]] = told["pid"]
            seen.add(told["pid"])
        elif told["earmark"] == "weights":
            run.sha256 = told["sha256"]
        elif told["earmark"] == "note" and "going on from step" in told["message"]:
            for kill in run.kills:
                if kill.at and kill.resumed is None:
                    kill.resumed = int(told["message"].split("step ")[1].split()[0])
        # Lines from before the last kill still come; the next one waits until all work again.
        elif coming and len(workers) == run.processes and told.get("done", 0) >= coming[0].step:
            kill = coming.pop(0)
            kill.at = told["done"]
            os.kill(victim(kill.victim, workers, process.pid), kill.how)
            workers.clear()
    return seen


def events(run: Run, process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith('{"earmark"'):
            yield json.loads(line)
        else:
            run.output.append(line)


def lives(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def victim(name: str, workers: dict[int, int], supervisor: int) -> int:
    if name == "supervisor":
        return supervisor
    if name == "torchrun":
        return int(Path(f"/proc/{workers[0]}/stat").read_text().rpartition(")")[2].split()[1])
    return workers[int(name.removeprefix("worker "))]


def planned(processes: int, count: int, steps: int, draw: random.Random) -> list[Kill]:
    """Kills at random steps, every victim and signal about equally often."""
    names = ["worker 0", "supervisor"] + ["worker 1", "torchrun"] * (processes > 1)
    ways = [(name, how) for name in names for how in (signal.SIGKILL, signal.SIGTERM)]
    chosen = [ways[i % len(ways)] for i in range(count)]
    draw.shuffle(chosen)
    at = sorted(draw.sample(range(1, steps * 9 // 10), count))
    return [Kill(step, name, how) for step, (name, how) in zip(at, chosen, strict=True)]


def main(given: list[str] | None = None) -> int:
    """Train undisturbed and disturbed by one and two processes, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--architecture", default="fully_connected")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--supervise", help=argparse.SUPPRESS)
    arguments = parser.parse_args(given)
    if arguments.supervise:
        supervise(json.loads(arguments.supervise))
        return 0
    draw = random.Random(arguments.seed)
    part = {"steps": arguments.steps, "batch_size": 16, "precision": "fp32", "validate_every_share": 0.25}
    guards = {"checkpoint_every_seconds": 0.2, "max_restarts": arguments.kills}
    tree = {"train": part | guards, "seed": arguments.seed}
    tree["architecture"] = {"name": arguments.architecture, "width": 0.05, "dropout": 0.2}
    config = make_config("quick", tree).model_dump()
    good = True
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        print(f"{'processes':>9} {'wanted at':>9} {'killed at':>9} {'victim':>10} {'signal':>8} {'went on from':>12}")
        for processes in (1, 2):
            count = arguments.kills // 2 + (arguments.kills % 2) * (processes == 1)
            jobs = {
                name: {**prepare(Path(folder, f"{name}-{processes}")), "config": config, "run": f"{name}-{processes}"}
                for name in ("undisturbed", "disturbed")
            }
            expected = train(Run(processes), jobs["undisturbed"])
            kills = planned(processes, count, arguments.steps, draw)
            run = train(Run(processes, kills), jobs["disturbed"])
            for kill in run.kills:
                resumed = "" if kill.resumed is None else kill.resumed
                row = f"{processes:9} {kill.step:9} {kill.at:9} {kill.victim:>10} {kill.how.name:>8} {resumed:>12}"
                print(row, flush=True)
            fired = sum(kill.at > 0 for kill in run.kills)
            same = run.sha256 == expected.sha256
            good = good and same and fired == count and not run.left_behind
            verdict = "identical" if same else f"DIFFERENT ({run.sha256[:12]} and {expected.sha256[:12]})"
            left = run.left_behind or "none"
            print(f"{processes} process(es): {fired} kills, weights {verdict}, left behind: {left}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
