"""Objects by key, and results committed by markers. Knows nothing of audio."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from earmark.errors import UserError
from earmark.store.base import CorruptObject, MissingObject, ObjectInfo, Store, store_uri
from earmark.store.directory import Directory
from earmark.store.manifest import Attempt, FileRef, Manifest, find, forget, load, once

__all__ = [
    "Attempt",
    "CorruptObject",
    "Directory",
    "FileRef",
    "Manifest",
    "MissingObject",
    "ObjectInfo",
    "Store",
    "find",
    "forget",
    "load",
    "once",
    "open_store",
    "store_uri",
]


def open_store(uri: str | Path | None = None) -> Store:
    """The store at a folder, a ``file://`` URI, or (by default) where ``EARMARK_STORE`` says.

    Raises:
        UserError: a scheme that is not known.
    """
    text = str(uri) if uri is not None else store_uri()
    parts = urlsplit(text)
    if parts.scheme == "file":
        return Directory(Path(unquote(parts.path)))
    if "://" not in text:
        return Directory(Path(text).expanduser())
    raise UserError(f"cannot open {text}: a folder or a file:// URI is needed, not {parts.scheme}://")
