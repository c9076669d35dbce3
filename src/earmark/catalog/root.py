"""The data root: the audio files and CSVs that lie in it, listed once, by name, size and mark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from earmark.config import digest
from earmark.errors import UserError
from earmark.features import AUDIO_SUFFIXES
from earmark.store import ObjectInfo, Store, open_store
from earmark.store.directory import Directory


@dataclass(frozen=True)
class DataRoot:
    """A data set's folder or bucket, read only.

    Attributes:
        store: where its objects are read.
        named_csv: key of the CSV that was named as the data, None where a folder was.
        audio: audio files by key.
        csvs: CSV files directly in the root, in order of their keys.
    """

    store: Store
    named_csv: str | None
    audio: dict[str, ObjectInfo]
    csvs: list[ObjectInfo]

    def digest(self) -> str:
        """Changes when a file comes, goes or may have changed, or when the root is another; no file is read."""
        listed = [[info.key, info.size, info.mark] for info in (*self.csvs, *self.audio.values())]
        return digest([self.store.uri, self.named_csv, listed])

    def place(self, key: str) -> str:
        """Where an object lies, for messages."""
        return f"{self.store.uri.rstrip('/')}/{key}"


def open_root(data: str) -> DataRoot:
    """List the data set at a folder, or beside a CSV.

    Raises:
        UserError: nothing there, a file that is no CSV, or no audio; with the remedy.
    """
    named_csv = None
    where = data.rstrip("/")
    if PurePosixPath(where).suffix.lower() == ".csv":
        where, _, named_csv = where.rpartition("/")
        where = where or ("/" if data.startswith("/") else ".")
    store = open_store(where or "/")
    if isinstance(store, Directory):
        _check_folder(store.root)
    listed = list(store.list())
    audio = {info.key: info for info in listed if PurePosixPath(info.key).suffix.lower() in AUDIO_SUFFIXES}
    csvs = [info for info in listed if "/" not in info.key and info.key.lower().endswith(".csv")]
    if named_csv is not None and named_csv not in {info.key for info in csvs}:
        raise UserError(f"{data} is not there: give the path of the CSV, or of a folder of audio")
    if not audio:
        raise UserError(
            f"no audio below {store.uri}: put the clips in one folder a label, or beside a CSV with file and label "
            "(WAV, FLAC, Ogg, Opus, MP3)"
        )
    return DataRoot(store, named_csv, audio, csvs)


def _check_folder(path: Path) -> None:
    if not path.exists():
        raise UserError(f"the data folder {path} is not there: check the path given by --data")
    if not path.is_dir():
        raise UserError(f"{path} is a file: give the folder of the data, or a CSV in it")
