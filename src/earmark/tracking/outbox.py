"""What MLflow has not taken yet, on disk: lines of JSON that outlive the process, for whoever comes next."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from earmark.tracking.context import DatasetFacts, RunContext
from earmark.tracking.points import Point

MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Sender:
    """The run of one network, told so that another process can go on with it."""

    context: RunContext
    dataset: DatasetFacts
    key: str
    name: str
    params: dict[str, Any]
    started_ms: int


@dataclass
class Waiting:
    """What one process left undelivered."""

    sender: Sender
    points: list[Point] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    end: dict[str, Any] | None = None


class Outbox:
    """One process's own file. A lock tells it from those of processes that are gone; the lock goes with its process.

    A disk that takes nothing is no reason to stop: ``lost`` then says so.
    """

    def __init__(self, uri: str, sender: Sender) -> None:
        self._folder = folder_of(uri, sender.context)
        self.path = self._folder / f"{uuid.uuid4().hex}.jsonl"
        self.lost = False
        self._head = _line({"sender": {**asdict(sender), "params": {k: str(v) for k, v in sender.params.items()}}})
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = self.path.open("ab", buffering=0)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._file.write(self._head)
        except OSError:
            self._give_up()

    def add_points(self, points: Sequence[Point]) -> None:
        """Note points, in one write."""
        self._add({"points": [[p.name, p.value, p.step, p.time_ms] for p in points]})

    def add(self, **record: Any) -> None:
        """Note ``tags`` or the ``end``."""
        self._add(record)

    def clear(self) -> None:
        """All of it is delivered."""
        with self._lock, suppress(OSError):
            if self._file is not None:
                self._file.truncate(len(self._head))

    def close(self, *, delivered: bool) -> None:
        """Let go of the file: it is gone if all was delivered, else it waits for the next process."""
        with self._lock, suppress(OSError):
            if self._file is not None:
                if delivered:
                    self.path.unlink(missing_ok=True)
                self._file.close()
                self._file = None

    def _add(self, record: dict[str, Any]) -> None:
        line = _line(record)
        with self._lock:
            if self._file is None:
                return
            try:
                if os.fstat(self._file.fileno()).st_size + len(line) > MAX_BYTES:
                    self.lost = True
                    return
                self._file.write(line)
            except OSError:
                self._give_up()

    def _give_up(self) -> None:
        self.lost = True
        if self._file is not None:
            self._file.close()
            self._file = None


def folder_of(uri: str, context: RunContext) -> Path:
    """Where a run's undelivered figures lie: below ``EARMARK_WORK``, else in the system's folder for such things."""
    work = os.environ.get("EARMARK_WORK")
    base = Path(work, "outbox") if work else Path(tempfile.gettempdir(), f"earmark-outbox-{os.getuid()}")
    told = json.dumps([uri, context.experiment, context.run])
    return base / hashlib.sha256(told.encode()).hexdigest()[:16]


def left_behind(uri: str, context: RunContext, key: str | None = None) -> Iterator[Waiting]:
    """What processes that are gone left of a run, of one key or of all. A file is gone once the next is asked for."""
    for path in sorted(folder_of(uri, context).glob("*.jsonl")):
        with suppress(OSError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            found = _read(file)
            if found is not None and key is not None and found.sender.key != key:
                continue
            if found is not None and (found.points or found.tags or found.end):
                yield found
            path.unlink(missing_ok=True)


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def _read(file: IO[bytes]) -> Waiting | None:
    """A file's content; a last line that was cut off is left out."""
    found: Waiting | None = None
    for line in file:
        try:
            record = json.loads(line)
        except ValueError:
            break
        if "sender" in record:
            told = record["sender"]
            context, dataset = RunContext(**told.pop("context")), DatasetFacts(**told.pop("dataset"))
            found = Waiting(Sender(context, dataset, **told))
        elif found is not None:
            found.points += [Point(*point) for point in record.get("points", ())]
            found.tags |= record.get("tags", {})
            found.end = record.get("end", found.end)
    return found
