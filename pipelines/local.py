"""A pipeline on this machine: the same graph as on a cluster, watched from here."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from earmark.errors import EarmarkError, UserError

# What Ctrl-C leaves a child before it is killed; a killed step goes on from its last checkpoint anyway.
GRACE_SECONDS = 0.3
LAST = "finish_run"
"""The step that runs however the others ended."""


class Watcher(Protocol):
    """Whoever is told what happens."""

    def event(self, event: Mapping[str, Any]) -> None:
        """One event of a step (see ``earmark.progress``)."""

    def close(self) -> None:
        """No more events."""


class StepError(EarmarkError):
    """A step ended the run; carries the step's own exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Place:
    """Where a local run keeps things: one work folder."""

    work: Path
    processes: int | None = None
    """How many train a network together, where the command says so."""

    def environment(self) -> dict[str, str]:
        """The environment of the run's children. Servers named in the environment win over the work folder."""
        local = {
            "EARMARK_STORE": str(self.work / "store"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.work / 'mlflow.db'}",
        }
        chosen = {name: os.environ.get(name) or value for name, value in local.items()}
        if self.processes is not None:
            chosen["EARMARK_PROCESSES"] = str(self.processes)
        return {
            **os.environ,
            **chosen,
            "EARMARK_WORK": str(self.work),
            "EARMARK_PROGRESS": "json",
            "PYTHONUNBUFFERED": "1",
        }

    def log(self, run: str) -> Path:
        """Everything the run's children printed."""
        return self.work / "logs" / f"{run}.log"

    def lock(self, run: str) -> Path:
        """Locked while the run's command lives, however it ends; holds the id of its process."""
        return self.work / "logs" / f"{run}.lock"


def open_place(work: str | Path, processes: int | None = None) -> Place:
    """A work folder that can be written; ``processes`` train a network together, where the command says so.

    Raises:
        UserError: the folder cannot be made or written.
    """
    folder = Path(work).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "logs").mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"cannot write the work folder {folder}: {error.strerror}; choose another with --work"
        ) from None
    return Place(folder, processes)


@contextmanager
def held(place: Place, run: str) -> Iterator[None]:
    """Keep every other command from this run: two at once would take each other's artifacts away.

    Raises:
        UserError: another command runs it.
    """
    with place.lock(run).open("a+") as file:
        if not _lock(file):
            file.seek(0)
            raise UserError(
                f"run {run} is running already in {place.work} (process {file.read().strip()}): wait for its end, or "
                "stop that process; `earmark runs` shows how it ended"
            )
        with suppress(OSError):  # a full disk
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), str(os.getpid()).encode())
        yield


def is_abandoned(place: Place, run: str) -> bool:
    """Whether a command of this work folder began the run and is gone."""
    if not place.lock(run).exists():
        return False
    with place.lock(run).open() as file:
        return _lock(file)


def run_pipeline(place: Place, pipeline: str, run: str, arguments: Mapping[str, Any], watcher: Watcher) -> None:
    """Run a pipeline to its end, telling the watcher what happens.

    Raises:
        StepError: the first error that a step told, or the log's place where none did.
        KeyboardInterrupt: after all children have ended; every finished step and checkpoint stays.
    """
    request = {"pipeline": pipeline, "arguments": dict(arguments), "artifacts": str(place.work / "runs" / run)}
    command = [sys.executable, "-m", "earmark.pipelines.runner"]
    errors: list[Mapping[str, Any]] = []
    begun: list[str] = []
    with place.log(run).open("ab", buffering=0) as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=place.environment(),
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        reader = threading.Thread(target=_relay, args=(process.stdout, log, watcher, errors, begun), daemon=True)
        try:
            # Left open: the runner ends, with all that it started, when this process does.
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            reader.start()
            code = process.wait()
            reader.join()
        except BaseException:
            _end(process)
            raise
        finally:
            watcher.close()
    if code != 0:
        if errors:
            cause = cause_of(errors)
            raise StepError(f"{cause['step']}: {cause['message']}", int(cause["exit_code"]))
        what = next((f"{step} was killed" for step in reversed(begun) if step != LAST), f"{pipeline} was killed")
        told = f"{what}, or ended without a word (code {code}); the log {place.log(run)} tells more"
        raise StepError(f"{told}, and the same command goes on from there", 1)


def cause_of(errors: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The error that ended a run: the last one told, and finish_run's only if there is no other."""
    return next((error for error in reversed(errors) if error["step"] != LAST), errors[-1])


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _relay(
    stream: IO[str], log: IO[bytes], watcher: Watcher, errors: list[Mapping[str, Any]], begun: list[str]
) -> None:
    """Events to the watcher, everything else to the log; ``begun`` holds what began since a step ended."""
    for line in stream:
        event = _event(line)
        if event is None or event["earmark"] != "progress":
            # A full disk is for the steps to tell; whoever watches must go on reading them.
            with suppress(OSError):
                log.write(line.encode())
        if event is not None:
            if event["earmark"] == "error":
                errors.append(event)
            elif event["earmark"] == "started":
                begun.append(event["step"])
            elif event["earmark"] == "done":
                begun.clear()
            watcher.event(event)


def _event(line: str) -> dict[str, Any] | None:
    start = line.find('{"earmark":')
    if start < 0:
        return None
    try:
        event: dict[str, Any] = json.loads(line[start:])
    except json.JSONDecodeError:
        return None
    return event


def _end(process: subprocess.Popen[str]) -> None:
    """End the runner and all that it started: they are one session, and so one process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(GRACE_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
