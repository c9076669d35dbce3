"""The files in a zip or a tar, one after another, and what may not be unpacked."""

from __future__ import annotations

import gzip
import re
import shlex
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from earmark.catalog.archives import SUFFIXES
from earmark.errors import UserError

BUFFER = 1 << 20
ZIP, GZIP = b"PK", b"\x1f\x8b"
"""How these begin. ``is_zipfile`` alone also takes a tar with a zip at its end."""
MACOS = "__MACOSX/"
"""What macOS adds to a zip: no part of the data."""
BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, struct.error),
    *(EOFError, NotImplementedError, ValueError),
    IndexError,  # a member of a zip without a name
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
    if not _opens(archive):
        raise UserError(f"{archive} is no archive, or a damaged one: give {_kinds()}")


def _opens(archive: Path) -> bool:
    try:
        if _begins_with(archive, ZIP):
            return zipfile.is_zipfile(archive)
        with _tar_stream(archive):
            return True
    except BROKEN:
        return False
    except OSError as error:
        raise UserError(f"{archive} cannot be read: {error.strerror or error}; give it to this user") from error


def _kinds() -> str:
    return f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def members_of(archive: Path) -> Generator[Member]:
    """The files of an archive, in its order; each can be read until the next is asked for. Errors: ``BROKEN``."""
    return _zip_members(archive) if _begins_with(archive, ZIP) else _tar_members(archive)


def _begins_with(archive: Path, magic: bytes) -> bool:
    with archive.open("rb") as file:
        return file.read(len(magic)) == magic


def _zip_members(archive: Path) -> Generator[Member]:
    with _seeking():
        whole = zipfile.ZipFile(archive)
    with whole:
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
            with _seeking():
                content = whole.open(info)
            with content:
                yield Member(name, info.file_size, content, "", done)


@contextmanager
def _seeking() -> Iterator[None]:
    """A damaged zip leads to places where no file can be."""
    try:
        yield
    except OSError as error:
        raise zipfile.BadZipFile(error.strerror or str(error)) from error


def _tar_members(archive: Path) -> Generator[Member]:
    with _tar_stream(archive) as (whole, file):
        for info in whole:
            if info.isdir():
                continue
            wrong = "" if info.isreg() else "is a link" if info.issym() or info.islnk() else "is no file"
            yield Member(info.name, info.size, None if wrong else whole.extractfile(info), wrong, file.tell())
        assert whole.fileobj is not None
        while rest := whole.fileobj.read(BUFFER):  # to the end, where a gzip has its checksum
            if rest.strip(b"\0"):
                raise tarfile.ReadError("something follows its end")


@contextmanager
def _tar_stream(archive: Path) -> Iterator[tuple[tarfile.TarFile, IO[bytes]]]:
    """A tar to be read once from its beginning, and its file. Gzip's own reader looks at the checksum."""
    with archive.open("rb") as file:
        content = gzip.GzipFile(fileobj=file) if _begins_with(archive, GZIP) else file
        with tarfile.open(fileobj=content, mode="r|", bufsize=BUFFER, tarinfo=_Header) as whole:
            yield whole, file


class _Header(tarfile.TarInfo):
    """A header that is damaged or missing is an error; ``tarfile`` takes all but the first for the archive's end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf and not buf.strip(b"\0"):  # the block of zeros that ends a tar
                raise
            raise tarfile.ReadError(str(error)) from error
