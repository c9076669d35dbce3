"""The processes that decode untrusted sound: a nursery that has imported all of it once, and forks workers.

The nursery has one thread and waits for its parent's word: to import what frames need, to fork a worker for a socket,
to tell how a worker ended. It ends its workers and itself where its parent is gone. A worker does a job at a time,
within the limits that come with it: the system ends it where it needs more time, and gives it no more memory.
"""

from __future__ import annotations

import io
import os
import resource
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from earmark.config import FeatureSpec
from earmark.errors import EarmarkError
from earmark.features.clip import frames_of_cuts, frames_of_segments, frames_of_sound
from earmark.features.decode import Sound
from earmark.features.messages import Buffer, receive, send

NUMBER = struct.Struct("<i")
FORK, WARM = 0, -1
"""What the nursery is told to do; any other number is that of a worker to be buried."""
READ_BYTES = 1 << 16
"""Asked for at a time of a file that the parent reads; it reads ahead itself."""
PR_SET_PDEATHSIG = 1
# What decoders, resampler and arithmetic raise about sound that they cannot take. All else is a mistake of ours.
THE_CLIPS = (EarmarkError, ValueError, RuntimeError, ArithmeticError, OSError, EOFError, struct.error)

Message = tuple[Any, Buffer]


def main(control_fd: int) -> None:
    """The nursery's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it closes the socket
    control = socket.socket(fileno=control_fd)
    workers: set[int] = set()
    while True:
        word, sockets, _, _ = socket.recv_fds(control, NUMBER.size, 1)
        if not word:
            break
        [worker] = NUMBER.unpack(word)
        if worker == WARM:
            _warm()
            continue
        if worker != FORK:
            workers.discard(worker)
            control.sendall(NUMBER.pack(os.waitpid(worker, 0)[1]))
            continue
        worker = os.fork()
        if not worker:
            control.close()
            _live(socket.socket(fileno=sockets[0]))
        os.close(sockets[0])
        workers.add(worker)
        control.sendall(NUMBER.pack(worker))
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)


def _warm() -> None:
    """Import and compute what workers share, once."""
    import miniaudio  # noqa: F401
    import soundfile  # noqa: F401

    frames_of_sound(Sound(np.zeros((44_100, 1), np.int16), 44_100), FeatureSpec())


def _live(sock: socket.socket) -> None:
    """A worker's life."""
    try:
        _die_with(os.getppid())
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries print what they find wrong with a file
        own_bytes = _data_bytes()
        while True:
            job, data = receive(sock)
            _limit(job["seconds"], None if own_bytes is None else own_bytes + job["memory"])
            for document, answer in _answers(job, bytes(data), sock):
                send(sock, document, answer)
            _limit(0.0, None)
    except (EOFError, OSError):  # the parent has gone
        os._exit(0)
    finally:
        os._exit(1)


def _answers(job: Any, data: bytes, sock: socket.socket) -> Iterator[Message]:
    try:
        yield from {"frames": _frames, "header": _header, "blocks": _blocks}[job["do"]](job, data, sock)
    except MemoryError:
        yield {"failed": "memory"}, b""
    except THE_CLIPS as error:
        yield {"failed": str(error) if isinstance(error, EarmarkError) else f"{type(error).__name__}: {error}"}, b""
    except Exception:
        yield {"mistake": traceback.format_exc()}, b""


def _frames(job: Any, data: bytes, sock: socket.socket) -> Iterator[Message]:
    """Frames and facts of segments of a file, whose bytes came with the job or are asked for."""
    spec, segments = _spec(job["spec"]), [(start_s, end_s) for start_s, end_s in job["segments"]]
    found = (
        frames_of_segments(data, spec, segments)
        if job["size"] is None
        else frames_of_cuts(_Asked(sock, job["size"]).buffered(), spec, segments)
    )
    clips = [[asdict(facts), len(frames_TF)] for frames_TF, facts in found]
    yield {"clips": clips}, b"".join([frames_TF.tobytes() for frames_TF, _ in found])


def _header(job: Any, data: bytes, sock: socket.socket) -> Iterator[Message]:
    """Rate, channels and seconds that a file's header claims."""
    import soundfile

    file: Any = io.BytesIO(data) if job["size"] is None else _Asked(sock, job["size"]).buffered()
    info = soundfile.info(file)
    yield {"header": [info.samplerate, info.channels, info.frames / info.samplerate]}, b""


def _blocks(job: Any, _data: bytes, _sock: socket.socket) -> Iterator[Message]:
    """A file of this machine in blocks of samples."""
    from earmark.features.stream import open_blocks

    sound = open_blocks(Path(job["path"]))
    yield {"rate": sound.rate, "claimed_seconds": sound.claimed_seconds}, b""
    for samples_NC in sound.blocks:
        whole_NC = np.ascontiguousarray(samples_NC)
        yield {"channels": whole_NC.shape[1], "kind": whole_NC.dtype.name}, whole_NC.tobytes()
    yield {"end": True}, b""


class _Asked(io.RawIOBase):
    """A file that the parent reads: it has what is needed to reach it, and a worker has not."""

    def __init__(self, sock: socket.socket, size: int) -> None:
        self._sock, self._size, self._at = sock, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = memoryview(buffer).cast("B")
        send(self._sock, {"read": [self._at, len(wanted)]})
        _, came = receive(self._sock)
        wanted[: len(came)] = came
        self._at += len(came)
        return len(came)

    def buffered(self) -> io.BufferedReader:
        return io.BufferedReader(self, READ_BYTES)


@lru_cache
def _spec(text: str) -> FeatureSpec:
    return FeatureSpec.model_validate_json(text)


def _limit(seconds: float, data_bytes: int | None) -> None:
    """Let the system end this process after so much processor time (0: never), and bound its memory."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (hard if data_bytes is None else data_bytes, hard))


def _data_bytes() -> int | None:
    """How much memory RLIMIT_DATA finds taken now; None where the system does not count it."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[5])
    except OSError:
        return None
    return pages * resource.getpagesize()


def _die_with(parent: int) -> None:
    """Be killed when the nursery is, where the system can do that; elsewhere a worker ends with its clip."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
