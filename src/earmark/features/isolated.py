"""Untrusted sound decoded in processes of their own: a crash, a hang or a flood of memory costs one clip, not the run.

A worker gets bytes and numbers, nothing of the environment but what a program needs to start, and answers with numbers
that are checked. Limits grow with a file's size; they are far beyond what any sound of that size needs.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from earmark.config import FeatureSpec
from earmark.errors import EarmarkError
from earmark.features.clip import UNDECODABLE, ClipFacts
from earmark.features.decode import DecodeError
from earmark.features.messages import Buffer, receive, send
from earmark.features.segments import Segment
from earmark.features.spec import MEL_BANDS
from earmark.features.stream import SoundBlocks
from earmark.features.worker import FORK, NUMBER, WARM

MIB = 1 << 20
SECONDS, SECONDS_A_MIB = 60.0, 10.0
"""Processor time that a file may take: a MiB of the thinnest speech takes 2 s of it."""
WALL = 10.0
"""A worker that has not answered after so many times its processor time is at a standstill."""
MEMORY_MIB, MEMORY_TIMES = 1024, 128
"""Memory that a file may take beyond what a worker has: so much, and so many times the file's size."""
CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
MOST_READ = 4 << 20
SAMPLE_KINDS = ("int16", "int32", "float32", "float64")
# A worker that is gone, that does not answer, or whose answer is not what it should be.
BROKEN = (OSError, EOFError, ValueError, TypeError, LookupError)
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
"""What a worker's environment has; one thread for BLAS besides, so that the nursery may fork."""
BOOT = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from earmark.features.worker import main
main(int(sys.argv[2]))
"""

Found = list[tuple["NDArray[Any]", ClipFacts]]


class Lost(DecodeError):
    """A worker did not survive its job, or was not allowed to go on; ``again`` where it may have been an accident."""

    def __init__(self, reason: str, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again


@dataclass(frozen=True)
class Limits:
    """What a job may take: processor time in seconds, memory in MiB."""

    seconds: float
    memory_mib: int

    @classmethod
    def of(cls, size: int) -> Limits:
        """Those of a file of so many bytes."""
        return cls(SECONDS + SECONDS_A_MIB * size / MIB, MEMORY_MIB + MEMORY_TIMES * size // MIB)


@dataclass
class _Worker:
    sock: socket.socket
    pid: int


class _Nursery:
    """This process's nursery (see :mod:`earmark.features.worker`), which starts in the background."""

    _lock = threading.Lock()
    _own: _Nursery | None = None

    @classmethod
    def own(cls) -> _Nursery:
        """The one that this process has; there is none before it is needed."""
        with cls._lock:
            own = cls._own
            if own is None or own._parent != os.getpid() or own._process.poll() is not None:
                own = cls._own = cls()
            return own

    def __init__(self) -> None:
        self._speak = threading.Lock()
        self._parent = os.getpid()
        self._control, theirs = socket.socketpair()
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", BOOT, json.dumps(sys.path), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**kept, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                pass_fds=[theirs.fileno()],
            )
        self._warm = False
        atexit.register(self._end)

    def warm(self) -> None:
        """Have it import all that frames need, for the workers that it forks from then on."""
        with self._speak, suppress(OSError):
            if not self._warm:
                self._control.sendall(NUMBER.pack(WARM))
                self._warm = True

    def fork(self) -> _Worker:
        """A new worker.

        Raises:
            EarmarkError: the nursery has ended.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs, self._speak:
                socket.send_fds(self._control, [NUMBER.pack(FORK)], [theirs.fileno()])
                return _Worker(ours, self._told())
        except (OSError, struct.error) as error:
            ours.close()
            raise EarmarkError("the process that decodes sound has ended: run the same command again") from error

    def bury(self, worker: _Worker) -> int:
        """End a worker; how it ended, as :class:`subprocess.Popen` tells it."""
        worker.sock.close()
        with self._speak:
            with suppress(ProcessLookupError):  # of one that died by itself the system tells why all the same
                os.kill(worker.pid, signal.SIGKILL)
            try:
                self._control.sendall(NUMBER.pack(worker.pid))
                return os.waitstatus_to_exitcode(self._told())
            except (OSError, struct.error):
                return -signal.SIGKILL  # it ended with the nursery

    def _told(self) -> int:
        [number] = NUMBER.unpack(self._control.recv(NUMBER.size, socket.MSG_WAITALL))
        return int(number)

    def _end(self) -> None:
        if self._parent == os.getpid():
            self._process.kill()
            self._process.wait()
            self._control.close()


def prepare(frames: bool = True) -> None:
    """Begin to start what :class:`Workers` need, in the background."""
    nursery = _Nursery.own()
    if frames:
        nursery.warm()


def cores() -> int:
    """Processors that this process may use, by its affinity and its container's limit: so many workers are enough."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = map(int, CPU_MAX.read_text().split())
    except (OSError, ValueError):  # no such limit
        return count
    return max(1, min(count, -(-quota // period)))


class Workers:
    """So many workers, each of which does one job at a time; threads share them, and wait for one that is free.

    They start when they are first needed, and are gone when the block ends, also by an exception.

    Args:
        count: how many.
        frames: whether they are to make frames, which takes more imports than a look at headers and samples.
    """

    def __init__(self, count: int, frames: bool = True) -> None:
        prepare(frames)
        self._nursery = _Nursery.own()
        self._free: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        for _ in range(count):
            self._free.put(None)
        self._closed = False
        self._busy: set[int] = set()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers, whatever they are at; threads that wait for an answer get none."""
        self._closed = True
        for pid in list(self._busy):  # its thread buries it: until then the number is no one else's
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        idle: list[_Worker | None] = []
        with suppress(queue.Empty):
            while True:
                idle.append(self._free.get_nowait())
        for worker in idle:
            if worker is not None:
                self._nursery.bury(worker)
            self._free.put(None)

    def frames(self, audio: bytes | BinaryIO, size: int, spec: FeatureSpec, segments: Sequence[Segment]) -> Found:
        """Stored-precision frames (T, 64) and facts of segments of a file, as :mod:`earmark.features.clip` makes them.

        Bad audio raises nothing: it has no frames, and the facts tell the reason, also that a worker was lost to it.
        A crash may be an accident, or another clip's doing: it is tried once more, by another worker.

        Args:
            audio: the file's bytes, or a seekable stream of them, of which no more than the segments is decoded.
            size: of the file, in bytes.
            spec: how sound becomes frames.
            segments: of the file.
        """
        for more in (True, False):
            try:
                return self._frames(audio, size, spec, segments)
            except DecodeError as error:
                reason = error
            if not isinstance(audio, bytes) and len(segments) > 1:
                return [found for segment in segments for found in self.frames(audio, size, spec, [segment])]
            if not (more and isinstance(reason, Lost) and reason.again):
                break
        facts = ClipFacts(reason=f"{UNDECODABLE}: {reason}")
        return [(np.empty((0, MEL_BANDS), spec.storage), facts) for _ in segments]

    def header(self, audio: bytes | BinaryIO, size: int) -> tuple[int, int, float] | None:
        """Rate, channels and seconds that a file's header claims, None where it cannot be read."""
        try:
            with self._asked({"do": "header"}, audio, size) as (document, _):
                rate, channels, seconds = document["header"]
                return int(rate), int(channels), float(seconds)
        except DecodeError:
            return None

    def open_blocks(self, path: Path) -> SoundBlocks:
        """A file's sound in blocks, as :func:`earmark.features.open_blocks` has it; each sound needs a worker.

        Raises:
            DecodeError: as there, and where the worker was lost; also while the blocks are read.
        """
        pieces = self._pieces(path)
        rate, claimed_seconds = next(pieces)
        return SoundBlocks(rate, pieces, claimed_seconds)

    def _pieces(self, path: Path) -> Iterator[Any]:
        """Rate and claimed seconds, then blocks of samples (N, channels)."""
        limits = Limits.of(path.stat().st_size if path.is_file() else 0)
        with self._worker(limits) as worker:
            _say(worker, {"do": "blocks", "path": str(path.absolute())}, b"", limits)
            about, _ = _hear(worker, limits)
            yield about["rate"], about["claimed_seconds"]
            while "end" not in (about := (heard := _hear(worker, limits))[0]):
                if about["kind"] not in SAMPLE_KINDS:
                    raise ValueError("no kind of samples")
                yield np.frombuffer(heard[1], about["kind"]).reshape(-1, about["channels"])

    def _frames(self, audio: bytes | BinaryIO, size: int, spec: FeatureSpec, segments: Sequence[Segment]) -> Found:
        job = {"do": "frames", "spec": spec.model_dump_json(), "segments": list(segments)}
        with self._asked(job, audio, size) as (document, data):
            rows = [rows for _, rows in document["clips"]]
            frames_TF = np.frombuffer(data, spec.storage).reshape(-1, MEL_BANDS)
            if len(rows) != len(segments) or min(rows) < 0 or sum(rows) != len(frames_TF):
                raise ValueError("other clips than were asked for")
            facts = [_facts(values) for values, _ in document["clips"]]
            return list(zip(np.split(frames_TF, np.cumsum(rows)[:-1]), facts, strict=True))

    @contextmanager
    def _asked(self, job: dict[str, Any], audio: bytes | BinaryIO, size: int) -> Iterator[tuple[Any, bytearray]]:
        """A worker's one answer about a file; what is found wrong with it is a worker lost."""
        limits = Limits.of(size)
        data, file = (audio, None) if isinstance(audio, bytes) else (b"", audio)
        with self._worker(limits) as worker:
            _say(worker, {**job, "size": None if file is None else size}, data, limits)
            yield _hear(worker, limits, file)

    @contextmanager
    def _worker(self, limits: Limits) -> Iterator[_Worker]:
        """A worker that is free, once there is one; it is given back, or buried where something broke."""
        worker = self._free.get()
        try:
            if self._closed:
                raise EarmarkError("decoding has been ended")
            worker = worker or self._nursery.fork()
            self._busy.add(worker.pid)
            yield worker
        except DecodeError:
            raise
        except BaseException as error:
            if worker is None:
                raise
            status = self._nursery.bury(worker)
            self._busy.discard(worker.pid)
            worker = None
            if isinstance(error, BROKEN):
                raise _reason(error, status, limits) from error
            raise
        finally:
            if worker is not None:
                self._busy.discard(worker.pid)
                if self._closed:
                    self._nursery.bury(worker)
                    worker = None
            self._free.put(worker)


def _say(worker: _Worker, job: dict[str, Any], data: Buffer, limits: Limits) -> None:
    worker.sock.settimeout(limits.seconds * WALL)
    send(worker.sock, {**job, "seconds": limits.seconds, "memory": limits.memory_mib * MIB}, data)


def _hear(worker: _Worker, limits: Limits, file: BinaryIO | None = None) -> tuple[Any, bytearray]:
    """What a worker answers; the parts of the file that it asks for are read meanwhile, which may take its time."""
    until = time.monotonic() + limits.seconds * WALL
    while True:
        worker.sock.settimeout(max(1e-3, until - time.monotonic()))
        document, data = receive(worker.sock)
        if "read" in document and file is not None:
            began = time.monotonic()
            at, length = document["read"]
            file.seek(int(at))
            send(worker.sock, {}, file.read(min(int(length), MOST_READ)))
            until += time.monotonic() - began
        elif "mistake" in document:
            raise RuntimeError(f"a worker that decodes sound: {document['mistake']}")
        elif "failed" in document:
            memory = f"wanted more than {limits.memory_mib} MiB"
            raise DecodeError(memory if document["failed"] == "memory" else str(document["failed"]))
        else:
            return document, data


def _reason(error: BaseException, status: int, limits: Limits) -> Lost:
    if isinstance(error, TimeoutError) or status == -signal.SIGPROF:
        return Lost(f"took more than {limits.seconds:.0f} s")
    if not isinstance(error, EOFError | ConnectionError):
        return Lost("the decoder's answer makes no sense", again=True)
    if status == -signal.SIGKILL:
        return Lost("the system killed the decoder (SIGKILL), most likely for want of memory", again=True)
    how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    return Lost(f"the decoder crashed ({how})", again=True)


def _facts(values: dict[str, Any]) -> ClipFacts:
    """Facts whose types are those that they should have."""
    facts = ClipFacts(**values)
    for field in fields(facts):
        kind, value = type(field.default), getattr(facts, field.name)
        if not isinstance(value, str | None if field.name == "reason" else kind):
            raise TypeError(f"{field.name} is no {kind.__name__}")
    return facts
