"""Runs a worker to its end: relays what it tells, starts it again when it was killed, ends it with this process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from earmark.errors import EarmarkError
from earmark.progress import Progress
from earmark.training.job import Job, Outcome

# Ctrl-C must be over in a second; a pod that is told to stop has 30 of them.
GRACE_SECONDS = {"interrupted": 0.7, "terminated": 25.0}


def supervise(job: Job, progress: Progress) -> tuple[Outcome, int]:
    """The outcome of a job that succeeded, and how often its worker was started again.

    Raises:
        EarmarkError: the worker failed by itself (its cause; a ``UserError`` for what the user can mend), or was killed
            more often than ``train.max_restarts``.
    """
    most = job.config.train.max_restarts
    with tempfile.TemporaryDirectory(prefix="earmark-") as folder, _sigterm_raises():
        job = replace(job, outcome=Path(folder, "outcome.json"))
        path = Path(folder, "job.json")
        job.write(path)
        for restarts in range(most + 1):
            code = _run_worker(path, progress)
            outcome = Outcome.read(job.outcome)
            if outcome is not None and outcome.status == "done":
                return outcome, restarts
            if outcome is not None and outcome.status == "failed":
                raise outcome.error()
            if outcome is None and code >= 0:
                raise EarmarkError(f"the training worker ended with exit code {code} and no word: see its output above")
            how = "stopped" if outcome is not None else f"killed by {signal.Signals(-code).name}"
            job.outcome.unlink(missing_ok=True)
            if restarts < most:
                progress.note(f"the training worker was {how}; starting it again from its last checkpoint")
    raise EarmarkError(
        f"the training worker was {how} {most + 1} times (if nobody did it, memory ran out: lower train.batch_size or "
        "architecture.width, or give the step more); run the same command again to go on from its last checkpoint"
    )


def _run_worker(path: Path, progress: Progress) -> int:
    """Start a worker and relay its lines until it ends; its exit code, negative if a signal killed it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "earmark.training.worker", str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "EARMARK_PROGRESS": "json"},
    )
    assert process.stdout is not None
    grace = GRACE_SECONDS["terminated"]
    try:
        for line in process.stdout:
            relay(line, progress)
        return process.wait()
    except KeyboardInterrupt:
        grace = GRACE_SECONDS["interrupted"]
        raise
    finally:
        _end(process, grace)


def relay(line: str, progress: Progress) -> None:
    """Tell one line of a worker's output as this process's own; what is no progress goes to standard error."""
    try:
        told = json.loads(line)
        event = told.pop("earmark")
    except (ValueError, TypeError, AttributeError, KeyError):
        sys.stderr.write(line)
        return
    told.pop("step", None)
    if event == "progress":
        progress.update(told["done"], told["total"], told["unit"], **told["facts"])
    elif event == "note":
        progress.note(told["message"])
    else:
        progress.event(event, **told)


def _end(process: subprocess.Popen[str], grace: float) -> None:
    """Ask a worker that still runs to save and end; after the grace it is killed."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert process.stdout is not None
    process.stdout.close()


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """SIGTERM unwinds the stack, so that the worker can be told; only the main thread may set a handler."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def unwind(_signal: int, _frame: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
