"""Runs a worker, or several that train together, to the end: relays what they tell, starts them again when one was
killed, ends them with this process.
"""

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
from earmark.training.processes import GPUS, check_batch, memory_remedy, visible_gpus, wanted_processes

# Ctrl-C must be over in a second; a pod that is told to stop has 30 of them.
GRACE_SECONDS = {"interrupted": 0.7, "terminated": 25.0}
SHUTDOWN_SECONDS = 20
"""What ``torchrun`` leaves the workers when it is told to end; less than it is left itself."""


def supervise(job: Job, progress: Progress) -> tuple[Outcome, int]:
    """The outcome of a job that succeeded, and how often its worker was started again.

    With several processes, one that is killed ends the others, and all are started again together.

    Raises:
        UserError: there are fewer GPUs than asked for, or the batch cannot be shared; before anything is opened.
        EarmarkError: the worker failed by itself (its cause; a ``UserError`` for what the user can mend), or was killed
            more often than ``train.max_restarts``.
    """
    processes = wanted_processes()
    check_batch(job.config.train, processes)
    most = job.config.train.max_restarts
    with tempfile.TemporaryDirectory(prefix="earmark-") as folder, _sigterm_raises():
        job = replace(job, outcome=Path(folder, "outcome.json"), processes=processes)
        path = Path(folder, "job.json")
        job.write(path)
        who = "the training worker" if processes == 1 else f"one of {processes} training workers"
        for restarts in range(most + 1):
            code = _run(_command(path, processes), _environment(processes), progress)
            outcome = Outcome.read(job.outcome)
            if outcome is not None and outcome.status == "done":
                return outcome, restarts
            if outcome is not None and outcome.status == "failed":
                raise outcome.error()
            if outcome is None and code >= 0 and processes == 1:
                raise EarmarkError(f"the training worker ended with exit code {code} and no word: see its output above")
            how = _how(outcome, code)
            job.outcome.unlink(missing_ok=True)
            if restarts < most:
                progress.note(f"{who} was {how}; starting it again from its last checkpoint")
    raise EarmarkError(
        f"{who} was {how} {most + 1} times (if nobody did it and no cause is told above, memory ran out: "
        f"{memory_remedy(job.config.train, processes)}, or give the step more); "
        "run the same command again to go on from its last checkpoint"
    )


def _command(job: Path, processes: int) -> list[str]:
    """What starts the worker; several are started by ``torchrun``, which ends all when one ends badly."""
    worker = ["-m", "earmark.training.worker", str(job)]
    if processes == 1:
        return [sys.executable, *worker]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--max-restarts", "0"]
    torchrun += ["--nproc-per-node", str(processes), "--log-dir", str(job.parent / "torchrun")]
    return [sys.executable, "-m", "earmark.training.lifeline", str(os.getpid()), *torchrun, *worker]


def _environment(processes: int) -> dict[str, str]:
    """The workers' environment: progress as JSON; several share the cores and talk over this machine's loopback."""
    environment = {**os.environ, "EARMARK_PROGRESS": "json"}
    if processes > 1:
        if gpus := visible_gpus():
            # A torch that cannot use them must not train on the CPU instead.
            environment.setdefault(GPUS, str(gpus))
        environment.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(SHUTDOWN_SECONDS))
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
        if sys.platform == "linux":
            environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    return environment


def _how(outcome: Outcome | None, code: int) -> str:
    if outcome is not None:
        return "stopped"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else "killed"


def _run(command: list[str], environment: dict[str, str], progress: Progress) -> int:
    """Start a command and relay its lines until it ends; its exit code, negative if a signal killed it."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
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
