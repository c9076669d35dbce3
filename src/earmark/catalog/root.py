"""The data root: the audio files and lists that lie in it, listed once, by name, size and mark."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from earmark.catalog.archives import archive_told, archives_told, is_archive
from earmark.config import canonical_json
from earmark.config.keys import KEY_LENGTH
from earmark.errors import UserError
from earmark.features import AUDIO_SUFFIXES
from earmark.store import ObjectInfo, Store, open_store
from earmark.store.directory import Directory

NAMED_SUFFIXES = frozenset({".csv", ".jsonl"})
"""Lists that may be named as the data."""
LIST_SUFFIXES = frozenset({*NAMED_SUFFIXES, ".json", ".txt"})
"""Files that may say something of the clips."""
NO_AUDIO = "put the clips in one folder a label, or beside a CSV with file and label (WAV, FLAC, Ogg, Opus, MP3)"
"""What to do where there is no sound."""
OBJECTS_A_PIECE = 65_536
"""Listed objects that are turned into text at a time."""


@dataclass(frozen=True)
class DataRoot:
    """A data set's folder or bucket, read only.

    Attributes:
        store: where its objects are read.
        named: key of the list (CSV, JSON lines) that was named as the data, None where a folder was.
        audio: audio files by key.
        lists: what may say something of them, at any depth: files with one of ``LIST_SUFFIXES``, by key.
        sheets: CSVs in the root as they were parsed, by key, while its claims are read: none is read twice.
    """

    store: Store
    named: str | None
    audio: dict[str, ObjectInfo]
    lists: dict[str, ObjectInfo]
    sheets: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def csvs(self) -> list[str]:
        """CSV files directly in the root, in order of their keys."""
        return sorted(key for key in self.lists if "/" not in key and key.lower().endswith(".csv"))

    def digest(self) -> str:
        """Changes when a file comes, goes or may have changed, or when the root is another; no file is read."""
        # What config.digest gives of [uri, named, [[key, size, mark], …]], piece by piece.
        hasher = hashlib.sha256(f"{canonical_json([self.store.uri, self.named])[:-1]},[".encode())
        listed = [*self.lists.values(), *self.audio.values()]
        for at in range(0, len(listed), OBJECTS_A_PIECE):
            rows = [[info.key, info.size, info.mark] for info in listed[at : at + OBJECTS_A_PIECE]]
            hasher.update(f"{',' if at else ''}{canonical_json(rows)[1:-1]}".encode())
        hasher.update(b"]]")
        return hasher.hexdigest()[:KEY_LENGTH]

    def place(self, key: str) -> str:
        """Where an object lies, for messages."""
        return f"{self.store.uri.rstrip('/')}/{key}"


def open_root(data: str) -> DataRoot:
    """List the data set at a folder, or beside a list of clips (CSV or JSON lines).

    Raises:
        UserError: nothing there, a file that is no list, an archive, or no audio; with the remedy.
    """
    where, named = place_of(data)
    store = open_store(where or "/")
    if is_archive(where) and not (isinstance(store, Directory) and store.root.is_dir()):
        _refuse(*archive_told(where))
    if isinstance(store, Directory):
        _check_folder(store.root)
    listed = sorted(store.list(), key=lambda info: info.key)
    audio = {info.key: info for info in listed if _suffix(info.key) in AUDIO_SUFFIXES}
    lists = {info.key: info for info in listed if _suffix(info.key) in LIST_SUFFIXES}
    if named is not None and named not in lists:
        raise UserError(f"{data} is not there: give the path of the CSV, or of a folder of audio")
    if not audio:
        archives = [info.key for info in listed if is_archive(info.key)]
        if archives:
            _refuse(*archives_told(store.uri, archives))
        _refuse(f"no audio below {store.uri}", NO_AUDIO)
    return DataRoot(store, named, audio, lists)


def place_of(data: str) -> tuple[str, str | None]:
    """The folder of a data set, and the name of the list in it where ``--data`` is one."""
    where = data.rstrip("/")
    if PurePosixPath(where).suffix.lower() not in NAMED_SUFFIXES:
        return where, None
    folder, _, named = where.rpartition("/")
    return folder or ("/" if data.startswith("/") else "."), named


def _suffix(key: str) -> str:
    """In lower case with its point, as a path's ``suffix``; a tenth of the time."""
    name = key.rpartition("/")[2]
    at = name.rfind(".")
    return name[at:].lower() if 0 < at < len(name) - 1 else ""


def _refuse(what: str, remedy: str) -> NoReturn:
    raise UserError(f"{what}: {remedy}")


def _check_folder(path: Path) -> None:
    if not path.exists():
        raise UserError(f"the data folder {path} is not there: check the path given by --data")
    if not path.is_dir():
        raise UserError(f"{path} is a file: give the folder of the data, or a CSV in it")
