"""Objects by key. A step sees only this interface; where the bytes lie is the environment's business."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from earmark.errors import EarmarkError, UserError

T = TypeVar("T")
R = TypeVar("R")


class MissingObject(EarmarkError):
    """No object under that key."""


class CorruptObject(UserError):
    """An object whose bytes differ from the sha256 in its manifest."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a listing tells of an object: its key, its size, and a mark that changes when its content may have."""

    key: str
    size: int
    mark: str
    modified: float = field(default=0.0, compare=False)
    """When it was written, in seconds since 1970."""


class Store(Protocol):
    """Objects by key. Keys are relative POSIX paths; writes are atomic: an object is whole or absent."""

    @property
    def uri(self) -> str:
        """Where this store is, as ``open_store`` takes it."""

    @property
    def transfers(self) -> int:
        """How many calls are worth making at once."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object, replacing what was there."""

    def put_new(self, key: str, data: bytes) -> bool:
        """Write an object if there is none; True if this call wrote it. Of several callers one wins."""

    def get(self, key: str) -> bytes:
        """The bytes of an object.

        Raises:
            MissingObject: nothing under the key.
        """

    def local(self, key: str, sha256: str | None = None) -> Path:
        """A local file with the object's bytes, for reading only (the object itself, or a node's cached copy).

        Args:
            key: of the object.
            sha256: of its bytes, where that is known: they are checked, and a node's copy that differs is made anew.

        Raises:
            MissingObject: nothing under the key.
            CorruptObject: the bytes are others.
        """

    def part(self, key: str, start: int, length: int) -> bytes:
        """Some bytes of an object, not checked against anything.

        Raises:
            MissingObject: nothing under the key.
        """

    def head(self, key: str) -> ObjectInfo | None:
        """Size and mark of an object, None if there is none."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Objects whose key starts with the prefix, in order of their keys."""

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""

    def unfinished(self) -> Iterator[ObjectInfo]:
        """What writers that were killed, or still write, have left half-written; these are no objects."""

    def discard(self, left: ObjectInfo) -> None:
        """Remove something that :meth:`unfinished` told of."""


def damaged(store: Store, key: str) -> CorruptObject:
    """What is told of an object whose bytes are not those that were written."""
    return CorruptObject(
        f"{store.uri}/{key} is damaged (its sha256 differs from the one that was written down): "
        "delete it and run the same command again; what it held is made anew"
    )


def holds(path: Path, sha256: str) -> bool:
    """Whether a file's bytes have that digest."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def each(store: Store, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """What ``work``, which calls the store, gives for each item, in order; at once where that is worth it."""
    wanted = list(items)
    if store.transfers == 1 or len(wanted) < 2:
        return [work(item) for item in wanted]
    with ThreadPoolExecutor(min(store.transfers, len(wanted)), "store") as pool:
        try:
            return list(pool.map(work, wanted))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def store_uri() -> str:
    """The store's place from ``EARMARK_STORE``; by default ``work/store`` under the current folder."""
    return os.environ.get("EARMARK_STORE") or str(Path("work/store").absolute())
