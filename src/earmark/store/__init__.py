"""Objects by key, and results committed by markers. Knows nothing of audio."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from earmark.errors import UserError
from earmark.store.base import CorruptObject, MissingObject, ObjectInfo, Store, each, store_uri
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
    "each",
    "find",
    "forget",
    "load",
    "once",
    "open_store",
    "store_uri",
]


def open_store(uri: str | Path | None = None) -> Store:
    """The store at a folder, a ``file://`` or ``s3://`` URI, or (by default) where ``EARMARK_STORE`` says.

    Raises:
        UserError: a scheme that is not known, or an object store without an endpoint in the environment.
    """
    text = str(uri) if uri is not None else store_uri()
    parts = urlsplit(text)
    if parts.scheme == "file":
        return Directory(Path(unquote(parts.path)))
    if "://" not in text:
        return Directory(Path(text).expanduser())
    if parts.scheme == "s3":
        from earmark.store.s3 import S3

        return S3(*_bucket(text))
    raise UserError(f"cannot open {text}: a folder, file:// or s3:// is needed, not {parts.scheme}://")


def _bucket(text: str) -> tuple[str, str]:
    """Bucket and prefix of ``s3://bucket/prefix``."""
    bucket, _, prefix = text.removeprefix("s3://").partition("/")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
        raise UserError(f"cannot open {text}: {bucket!r} is no bucket's name; give s3://bucket or s3://bucket/prefix")
    return bucket, prefix
