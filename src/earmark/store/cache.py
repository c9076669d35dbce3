"""A node's copies of objects: filled part by part, several processes at once, and named only when whole and checked.

While a copy is made it is ``NAME.part``: the object's bytes, then a byte a part that is 1 when the part is there. Who
makes it holds a lock on it; a process that is killed lets go of it, and the next one goes on.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from earmark.errors import UserError

T = TypeVar("T")

Fetch = Callable[[int, int], bytes]
"""The bytes of an object from a start, of a length."""

PARTIAL = ".part"


def cache_folder() -> Path:
    """Where this node keeps copies: ``EARMARK_CACHE``, by default ``earmark`` in the user's cache folder."""
    named = os.environ.get("EARMARK_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()).absolute() / "earmark"


@dataclass(frozen=True)
class Cached:
    """The copy of one object, there or not.

    Attributes:
        path: where it lies once it is whole; its name follows from its content.
        size: of the object.
        part_bytes: how much is fetched at once.
    """

    path: Path
    size: int
    part_bytes: int

    def whole(self) -> bool:
        """Whether the copy is there."""
        return self.path.is_file() and self.path.stat().st_size == self.size

    def drop(self) -> None:
        """Remove the copy, if there is one."""
        self.path.unlink(missing_ok=True)

    def fill(self, begin: Callable[[], Fetch], pool: ThreadPoolExecutor, sha256: str | None) -> bool:
        """Make the copy, from what an earlier try left, unless another process just did; False where it is damaged.

        Args:
            begin: called when it is this process's turn; gives what fetches the object's bytes from a start.
            pool: fetches parts at once.
            sha256: of the whole, None where nobody stated one.

        Raises:
            UserError: the cache cannot be written.
        """
        with self._locked() as file:
            if file is None:
                return True
            fetch = begin()
            starts = range(0, self.size, self.part_bytes)
            os.ftruncate(file, self.size + len(starts))
            there = os.pread(file, len(starts), self.size)

            def take(number: int) -> tuple[int, int]:
                start = starts[number]
                length = min(self.part_bytes, self.size - start)
                if there[number] != 1:
                    data = fetch(start, length)
                    if os.pwrite(file, data, start) != len(data):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.pwrite(file, b"\1", self.size + number)
                return length, start

            found = hashlib.sha256()
            for length, start in in_order(pool.submit(take, number) for number in range(len(starts))):
                # As it lies in the file, while later parts are on their way.
                found.update(os.pread(file, length, start))
            os.ftruncate(file, self.size)
            good = sha256 in (None, found.hexdigest())
            if good:
                self._part.replace(self.path)
            else:
                self._part.unlink()
            return good

    @property
    def _part(self) -> Path:
        return self.path.with_name(self.path.name + PARTIAL)

    @contextmanager
    def _locked(self) -> Iterator[int | None]:
        """The partial copy, open and ours alone; None when another process has made the copy meanwhile."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while True:
                file = os.open(self._part, os.O_RDWR | os.O_CREAT, 0o644)
                fcntl.flock(file, fcntl.LOCK_EX)
                if _same(file, self._part):
                    break
                os.close(file)
                if self.whole():
                    yield None
                    return
            try:
                yield file
            finally:
                os.close(file)
        except OSError as error:
            raise _explained(error, self.path.parent) from error


def unfinished_copies() -> Iterator[Path]:
    """Partial copies in this node's cache that no process is filling now."""
    for path in sorted(cache_folder().glob(f"*/*{PARTIAL}")):
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
        yield path


def results(futures: Iterable[Future[T]]) -> list[T]:
    """What all gave; if one fails the others are not begun, and those under way are waited for."""
    return list(in_order(futures))


def in_order(futures: Iterable[Future[T]]) -> Iterator[T]:
    """As :func:`results`, each as soon as it and those before it are there."""
    begun = list(futures)
    try:
        for future in begun:
            yield future.result()
    except BaseException:
        for future in begun:
            future.cancel()
        wait(begun)
        raise


def _same(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _explained(error: OSError, folder: Path) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(f"the disk of the cache {folder} is full: free some space, or set EARMARK_CACHE to another")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return UserError(f"cannot write the cache {folder} ({error.strerror}): set EARMARK_CACHE to another folder")
    return error
