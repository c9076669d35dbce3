"""A local data set brought to the cluster's bucket: once, under a name of its content, going on where it stopped."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from earmark.catalog.root import DataRoot, open_root
from earmark.config import digest
from earmark.pipelines.terminal import Terminal, counted
from earmark.store import Store, each, open_store

if TYPE_CHECKING:
    from earmark.store import ObjectInfo

STEP = "upload"


def upload(data: str, sounds: str, terminal: Terminal) -> str:
    """Where the data set lies in the bucket; what is not there yet is uploaded.

    The place is named by the content of all files, so another content is another place, a run never sees its data
    change, and whoever has the same files uploads none of them again.

    Args:
        data: a local folder, or a CSV beside its audio.
        sounds: ``s3://bucket`` or a prefix in it.
        terminal: told how far it is.

    Returns:
        The data set's ``s3://`` address, of the CSV where one was named.
    """
    root = open_root(data)
    files = {info.key: info for info in (*root.audio.values(), *root.lists.values())}
    place = f"{sounds.rstrip('/')}/{_name(root)}-{_content(root, files, terminal)}"
    store = open_store(place)
    there = {info.key: info.size for info in store.list()}
    missing = [key for key, info in files.items() if there.get(key) != info.size]
    if missing:
        size = sum(files[key].size for key in missing) / 1e6
        terminal.console.print(f"uploading {counted(len(missing), 'file')}, {size:,.0f} MB, to {place}")
        _copy(root, store, missing, terminal)
    else:
        terminal.console.print(f"{place} has all {counted(len(files), 'file')} already")
    return f"{place}/{root.named}" if root.named else place


def _copy(root: DataRoot, store: Store, keys: list[str], terminal: Terminal) -> None:
    told = _Told(terminal, len(keys), "uploaded")

    def copy(key: str) -> None:
        # Objects are whole or absent: one that was cut off is not there and goes again.
        store.put(key, root.store.get(key))
        told.one()

    try:
        each(store, copy, keys)
    finally:
        terminal.clear(STEP)


def _content(root: DataRoot, files: Mapping[str, ObjectInfo], terminal: Terminal) -> str:
    """A digest of what all files hold, under which names."""
    told = _Told(terminal, len(files), "read")

    def read(key: str) -> str:
        found = hashlib.sha256(root.store.get(key)).hexdigest()
        told.one()
        return found

    try:
        return digest([[key, read(key)] for key in sorted(files)])[:12]
    finally:
        terminal.clear(STEP)


def _name(root: DataRoot) -> str:
    """The folder's name, as far as a key may hold it."""
    return re.sub(r"[^a-z0-9]+", "-", PurePosixPath(root.store.uri).name.lower()).strip("-")[:40] or "data"


class _Told:
    """Counts what threads have done, for a bar."""

    def __init__(self, terminal: Terminal, total: int, how: str) -> None:
        self._terminal, self._total, self._how = terminal, total, how
        self._done = 0
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def one(self) -> None:
        with self._lock:
            self._done += 1
            rate = self._done / max(time.monotonic() - self._began, 1e-6)
            event: dict[str, Any] = {"earmark": "progress", "step": STEP, "done": self._done, "total": self._total}
            event |= {"unit": "files", "eta_seconds": (self._total - self._done) / rate, "facts": {"files": self._how}}
            self._terminal.event(event)
