"""The files in a zip or a tar, one after another, and what may not be unpacked."""

from __future__ import annotations

import lzma
import re
import shlex
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from earmark.catalog.archives import SUFFIXES
from earmark.errors import UserError

BUFFER = 1 << 20
MACOS = "__MACOSX/"
"""What macOS adds to a zip: no part of the data."""
BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, NotImplementedError, ValueError),
)
"""What reading a damaged archive may end in."""


@dataclass(frozen=True)
class Member:
    """A file in an archive; ``wrong`` says why it may not be one. ``done`` is how far into the archive it reaches."""

    name: str
    size: int
    content: IO[bytes] | None
    wrong: str
    done: int


def check_archive(archive: Path) -> None:
    """Refuse what is no archive, or a part of one.

    Raises:
        UserError: with the remedy.
    """
    if not archive.is_file():
        raise UserError(f"{archive} is {'no file' if archive.exists() else 'not there'}: give archives ({_kinds()})")
    parts = sorted(archive.parent.glob(f"{_escaped(archive.stem)}.z[0-9][0-9]"))
    if parts:
        whole = archive.with_name(f"{archive.stem}.whole.zip")
        command = shlex.join(["zip", "-s", "0", str(archive.with_suffix(".zip")), "--out", str(whole)])
        raise UserError(
            f"{archive} is a zip in {len(parts) + 1} parts ({parts[0].name} …): join them by `{command}`, "
            f"and unpack {whole.name}"
        )
    if not (zipfile.is_zipfile(archive) if _begins_as_zip(archive) else tarfile.is_tarfile(archive)):
        raise UserError(f"{archive} is no archive, or a damaged one: give {_kinds()}")


def _kinds() -> str:
    return f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def members_of(archive: Path) -> Generator[Member]:
    """The files of an archive, in its order; each can be read until the next is asked for. Errors: ``BROKEN``."""
    return _zip_members(archive) if _begins_as_zip(archive) else _tar_members(archive)


def _begins_as_zip(archive: Path) -> bool:
    """By its first bytes: ``is_zipfile`` alone also takes a tar with a zip at its end."""
    with archive.open("rb") as file:
        return file.read(2) == b"PK"


def _zip_members(archive: Path) -> Generator[Member]:
    with zipfile.ZipFile(archive) as whole:
        done = 0
        for info in whole.infolist():
            done += info.compress_size
            name = info.filename.replace("\\", "/")
            if info.is_dir() or name.startswith(MACOS):
                continue
            kind = stat.S_IFMT(info.external_attr >> 16)
            wrong = "is encrypted" if info.flag_bits & 1 else ""
            if kind not in (0, stat.S_IFREG):
                wrong = "is a link" if kind == stat.S_IFLNK else "is no file"
            if wrong:
                yield Member(name, info.file_size, None, wrong, done)
                continue
            with whole.open(info) as content:
                yield Member(name, info.file_size, content, "", done)


def _tar_members(archive: Path) -> Generator[Member]:
    # Read as a stream: a tar.gz would else be read twice.
    with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r|*", bufsize=BUFFER) as whole:
        for info in whole:
            if info.isdir():
                continue
            wrong = "" if info.isreg() else "is a link" if info.issym() or info.islnk() else "is no file"
            yield Member(info.name, info.size, None if wrong else whole.extractfile(info), wrong, file.tell())
