"""Checks of the data: that it is there, and that this identity may list and read it; only its beginning is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from earmark.catalog.archives import archive_told, archives_told, is_archive
from earmark.catalog.root import NO_AUDIO, place_of
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
NO_LIST = "give the path of the CSV, or of a folder of audio"


def check_data(data: str) -> Iterator[Line]:
    """Lines about a folder or bucket of clips, or a list of clips beside them."""
    where, named = place_of(data)
    try:
        store = open_store(where or "/")
        if is_archive(where) and not (isinstance(store, Directory) and store.root.is_dir()):
            yield Line("bad", PART, *archive_told(where))
        elif isinstance(store, Directory):
            yield from _check_folder(store.root, named)
        else:
            yield from _check_bucket(store, named)  # type: ignore[arg-type]  # the only other kind
    except EarmarkError as error:
        yield Line("bad", PART, one_line(error), mendable=isinstance(error, UserError))


def _check_folder(folder: Path, named: str | None) -> Iterator[Line]:
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        yield Line("bad", PART, f"the data folder {folder} {what}", "check the path given by --data")
        return
    if named and not (folder / named).is_file():
        yield Line("bad", PART, f"{folder / named} is not there", NO_LIST)
        return
    files = (Path(place, name) for place, _, names in os.walk(folder, followlinks=True) for name in names)
    archives: list[str] = []
    for file in files:
        if file.suffix.lower() in AUDIO_SUFFIXES:
            if os.access(file, os.R_OK):
                yield Line("ok", PART, f"{folder} can be listed and read")
            else:
                yield Line("bad", PART, f"{file} cannot be read", f"give the files below {folder} to this user")
            return
        if is_archive(file.name):
            archives.append(file.relative_to(folder).as_posix())
    yield _no_audio(str(folder), sorted(archives))


def _no_audio(place: str, archives: list[str]) -> Line:
    told = archives_told(place, archives) if archives else (f"no audio below {place}", NO_AUDIO)
    return Line("bad", PART, *told)


def _check_bucket(store: S3, named: str | None) -> Iterator[Line]:
    client, prefix = store.endpoint.client(), f"{store.prefix}/" if store.prefix else ""

    def look() -> list[str]:
        listed = client.list_objects(store.bucket, prefix, recursive=True)
        return [(entry.object_name or "").removeprefix(prefix) for entry in islice(listed, LISTED)]

    names = persist(store.endpoint, store.uri, look, store.endpoint.until())
    if named and store.head(named) is None:
        yield Line("bad", PART, f"{store.uri}/{named} is not there", NO_LIST)
        return
    first = next((name for name in names if PurePosixPath(name).suffix.lower() in AUDIO_SUFFIXES), None)
    if first is None and len(names) < LISTED:
        yield _no_audio(store.uri, [name for name in names if is_archive(name)])
    elif first is None:
        yield Line("note", PART, f"the first {LISTED} objects of {store.uri} are no audio", NO_AUDIO)
    else:
        store.part(first, 0, 1)
        yield Line("ok", PART, f"{store.uri} can be listed and read")
