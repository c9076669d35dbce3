"""Checks of the data: that it is there, and that this identity may list and read it; only its beginning is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from earmark.checking.lines import Line, one_line
from earmark.errors import EarmarkError, UserError
from earmark.features.decode import AUDIO_SUFFIXES
from earmark.store import Directory, open_store
from earmark.store.access import persist

if TYPE_CHECKING:
    from earmark.store.s3 import S3

PART = "data"
LISTED = 1000
"""How many objects of a bucket are listed: what one answer holds."""
NO_AUDIO = "put the clips in one folder a label, or beside a CSV with file and label (WAV, FLAC, Ogg, Opus, MP3)"


def check_data(data: str) -> Iterator[Line]:
    """Lines about a folder or bucket of clips, or a CSV beside them."""
    where, csv = data.rstrip("/"), ""
    if PurePosixPath(where).suffix.lower() == ".csv":
        where, _, csv = where.rpartition("/")
        where = where or ("/" if data.startswith("/") else ".")
    try:
        store = open_store(where or "/")
        if isinstance(store, Directory):
            yield from _check_folder(store.root, csv)
        else:
            yield from _check_bucket(store, csv)  # type: ignore[arg-type]  # the only other kind
    except EarmarkError as error:
        yield Line("bad", PART, one_line(error), mendable=isinstance(error, UserError))


def _check_folder(folder: Path, csv: str) -> Iterator[Line]:
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        yield Line("bad", PART, f"the data folder {folder} {what}", "check the path given by --data")
        return
    if csv and not (folder / csv).is_file():
        yield Line("bad", PART, f"{folder / csv} is not there", "give the path of the CSV, or of a folder of audio")
        return
    files = (Path(place, name) for place, _, names in os.walk(folder, followlinks=True) for name in names)
    first = next((file for file in files if file.suffix.lower() in AUDIO_SUFFIXES), None)
    if first is None:
        yield Line("bad", PART, f"no audio below {folder}", NO_AUDIO)
    elif not os.access(first, os.R_OK):
        yield Line("bad", PART, f"{first} cannot be read", f"give the files below {folder} to this user")
    else:
        yield Line("ok", PART, f"{folder} can be listed and read")


def _check_bucket(store: S3, csv: str) -> Iterator[Line]:
    client, prefix = store.endpoint.client(), f"{store.prefix}/" if store.prefix else ""

    def look() -> list[str]:
        listed = client.list_objects(store.bucket, prefix, recursive=True)
        return [(entry.object_name or "").removeprefix(prefix) for entry in islice(listed, LISTED)]

    names = persist(store.endpoint, store.uri, look, store.endpoint.until())
    if csv and store.head(csv) is None:
        yield Line("bad", PART, f"{store.uri}/{csv} is not there", "give the path of the CSV, or of a folder of audio")
        return
    first = next((name for name in names if PurePosixPath(name).suffix.lower() in AUDIO_SUFFIXES), None)
    if first is None and len(names) < LISTED:
        yield Line("bad", PART, f"no audio below {store.uri}", NO_AUDIO)
    elif first is None:
        yield Line("note", PART, f"the first {LISTED} objects of {store.uri} are no audio", NO_AUDIO)
    else:
        store.part(first, 0, 1)
        yield Line("ok", PART, f"{store.uri} can be listed and read")
