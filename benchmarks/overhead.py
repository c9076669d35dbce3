"""What a command and a step cost beyond their work: start of the interpreter, imports, Kubeflow's executor.

    python benchmarks/overhead.py

Each figure is the median of several runs, interleaved, beside a bare interpreter and a bare ``import torch``.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 7

# What kfp.local runs for a step that does nothing but read its store and say so.
NO_WORK = """
import os
os.environ["_KFP_RUNTIME"] = "true"
import kfp.dsl.executor_main
from earmark.components.adapter import step
with step("build_catalog", "bench") as s:
    {rooms}
    s.progress.note("no work")
"""

COMMANDS = {
    "python, nothing": [sys.executable, "-c", "pass"],
    "python, import torch": [sys.executable, "-c", "import torch"],
    "earmark --help": [str(Path(sys.executable).with_name("earmark")), "--help"],
    "earmark run compare --help": [str(Path(sys.executable).with_name("earmark")), "run", "compare", "--help"],
    "step without torch": [sys.executable, "-c", NO_WORK.format(rooms="import earmark.catalog, earmark.features")],
    "step with torch": [
        sys.executable,
        "-c",
        NO_WORK.format(rooms="import torch, earmark.evaluation, earmark.metrics"),
    ],
}
LIMITS = {"earmark --help": 0.35, "step without torch": 0.4, "step with torch": 1.5}


def main() -> None:
    """Measure and print."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "EARMARK_STORE": folder, "EARMARK_PROGRESS": "json"}
        for round_ in range(ROUNDS + 1):
            for name, command in COMMANDS.items():
                started = time.perf_counter()
                subprocess.run(command, env=environment, check=True, capture_output=True)
                if round_:  # the first fills the page cache
                    seconds[name].append(time.perf_counter() - started)
    bare = statistics.median(seconds["python, nothing"])
    print("| what | seconds, median | min–max | times a bare interpreter | wanted |\n|---|---|---|---|---|")
    for name, values in seconds.items():
        median = statistics.median(values)
        wanted = f"≤ {LIMITS[name]} s" if name in LIMITS else ""
        print(f"| {name} | {median:.3f} | {min(values):.3f}–{max(values):.3f} | {median / bare:.1f} | {wanted} |")
    print(json.dumps({name: statistics.median(values) for name, values in seconds.items()}))


if __name__ == "__main__":
    main()
