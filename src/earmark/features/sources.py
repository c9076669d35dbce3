"""The files that clips are read from: whole or by ranges of bytes, each held against what the catalog knows of it."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from earmark.errors import UserError
from earmark.features.decode import DecodeError, Sound, decode
from earmark.features.segments import LONG_BYTES, WHOLE, Segment, cut
from earmark.features.shards import Wanted
from earmark.store import MissingObject, ObjectInfo, Store

LEAST_READ, MOST_READ = 1 << 16, 1 << 20
"""Bytes in a range: few where a decoder looks around, doubled while it reads on."""
HASHED_BYTES = 8 << 20
"""Bytes in a range of a file that is read from end to end."""


class Ranges(io.RawIOBase):
    """An object of a store as a seekable stream that reads what is asked for, and a little more.

    A decoder's library that calls it cannot be told of an error: it sees the end of the file, and :meth:`check` raises.
    """

    def __init__(self, store: Store, info: ObjectInfo) -> None:
        self._store, self._info = store, info
        self._at = self._begin = 0
        self._window = b""
        self._length = LEAST_READ
        self._failed: Exception | None = None

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be sought in."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Have the next read begin elsewhere; nothing is read for it."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._info.size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; less comes at the end, or where a read went wrong, and nothing after that."""
        wanted = memoryview(buffer).cast("B")
        done = 0
        try:
            while self._failed is None and done < len(wanted) and self._at < self._info.size:
                if not self._begin <= self._at < self._begin + len(self._window):
                    self._fetch(len(wanted) - done)
                first = self._at - self._begin
                piece = self._window[first : first + len(wanted) - done]
                wanted[done : done + len(piece)] = piece
                done += len(piece)
                self._at += len(piece)
        except Exception as error:
            self._failed = error
        return done

    def buffered(self) -> BinaryIO:
        """The same for many small reads: MP3's decoder asks for a hundred bytes at a time."""
        return io.BufferedReader(self, LEAST_READ)

    def check(self) -> None:
        """Raise what went wrong with a read, if anything did."""
        if self._failed is not None:
            raise self._failed

    def _fetch(self, least: int) -> None:
        on = bool(self._window) and self._at == self._begin + len(self._window)
        self._length = min(2 * self._length, MOST_READ) if on else LEAST_READ
        length = min(max(least, self._length), self._info.size - self._at)
        self._window, self._begin = self._store.part(self._info.key, self._at, length), self._at
        if not self._window:
            raise MissingObject(f"{self._info.key} ends before its size")


def digest_of(store: Store, info: ObjectInfo, told: Callable[[int], None] = lambda _: None) -> str:
    """sha256 of an object's bytes, read by ranges.

    Args:
        store: where it lies.
        info: what a listing says of it.
        told: called with the size of each range that was read.

    Raises:
        MissingObject: it is gone.
    """
    hasher = hashlib.sha256()
    for start in range(0, info.size, HASHED_BYTES):
        piece = store.part(info.key, start, min(HASHED_BYTES, info.size - start))
        hasher.update(piece)
        told(len(piece))
    return hasher.hexdigest()


class Sources:
    """The files of a data root.

    A file that is read whole is held against its sha256. One that is read in parts is taken for what the catalog says
    while it has the size and the mark that it had then; else it is hashed, once. It must not change while it is read.
    """

    def __init__(self, root: Store) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._known: dict[str, ObjectInfo] = {}

    def size(self, clip: Wanted) -> int:
        """The size of a clip's file in bytes.

        Raises:
            UserError: it is gone.
        """
        return self._look(clip).size

    def head(self, clip: Wanted, length: int) -> bytes:
        """The first bytes of a clip's file.

        Raises:
            UserError: it is gone.
        """
        try:
            return self._root.part(clip.uri, 0, length)
        except MissingObject as error:
            raise self._other(clip, "is gone") from error

    def whole(self, clip: Wanted) -> bytes:
        """All bytes of a clip's file.

        Raises:
            UserError: it is gone, or no longer what the catalog says.
        """
        try:
            data = self._root.get(clip.uri)
        except MissingObject as error:
            raise self._other(clip, "is gone") from error
        if hashlib.sha256(data).hexdigest() != clip.sha256:
            raise self._other(clip, "has changed")
        return data

    @contextmanager
    def opened(self, clip: Wanted) -> Iterator[BinaryIO]:
        """A clip's file, to be read in parts.

        Raises:
            UserError: it is gone, no longer what the catalog says, or changed meanwhile.
            EarmarkError: it could not be read.
        """
        info = self._look(clip)
        try:
            with self._lock:
                if self._known.get(clip.uri) != info:
                    if (info.size, info.mark) != (clip.size, clip.mark) and digest_of(self._root, info) != clip.sha256:
                        raise self._other(clip, "has changed")
                    self._known[clip.uri] = info
            file = Ranges(self._root, info)
            yield file.buffered()
            file.check()
        except MissingObject as error:
            self._look(clip)
            raise self._other(clip, "has changed") from error
        if self._look(clip) != info:
            raise self._other(clip, "has changed")

    def _look(self, clip: Wanted) -> ObjectInfo:
        info = self._root.head(clip.uri)
        if info is None:
            raise self._other(clip, "is gone")
        return info

    def _other(self, clip: Wanted, what: str) -> UserError:
        return UserError(
            f"{clip.uri} in {self._root.uri} {what} since the catalog was built: run the same command again"
        )


class SoundFiles:
    """Sounds out of the files of a data root, each with the sha256 of its file; a long file is hashed once."""

    def __init__(self, root: Store) -> None:
        self._root = root
        self._digests: dict[ObjectInfo, str] = {}

    def read(self, uri: str, segment: Segment) -> tuple[str, Sound]:
        """A file's sha256 and the samples of a segment, cut as extraction cuts them.

        Raises:
            MissingObject: the file is gone.
            DecodeError: with the decoder's reason.
        """
        info = self._root.head(uri)
        if info is None or info.size < LONG_BYTES or segment == WHOLE:
            data = self._root.get(uri)
            return hashlib.sha256(data).hexdigest(), decode(data).segment(*segment)
        if info not in self._digests:
            self._digests[info] = digest_of(self._root, info)
        ranges = Ranges(self._root, info)
        [(_, sound, _)] = cut(ranges.buffered(), [segment])
        ranges.check()
        if isinstance(sound, DecodeError):
            raise sound
        return self._digests[info], sound
