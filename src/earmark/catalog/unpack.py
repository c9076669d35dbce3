"""Archives of sound (zip, tar, tar.gz) into a folder, each whole or not at all.

An archive is unpacked into a hidden folder beside its place, and only then moved there. Nothing in it can lead out: a
member with an absolute path or ``..`` refuses the archive, as do links, devices and encrypted members.
"""

from __future__ import annotations

import fcntl
import filecmp
import lzma
import os
import re
import shlex
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from earmark.errors import UserError
from earmark.progress import Progress

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
TEMPORARY = ".unpacking-"
CHUNK = 1 << 20
NAMED = 8
"""So many archives are named one by one in a command; more by patterns."""
MACOS = "__MACOSX/"
"""What macOS adds to a zip: no part of the data."""
BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, ValueError)


@dataclass(frozen=True)
class Unpacked:
    """What came of an archive.

    Attributes:
        archive: its file.
        files: how many files it holds.
        size: bytes of these.
        folder: the folder below which all of them lie.
        new: whether a file was written; False where all were there already.
    """

    archive: Path
    files: int
    size: int
    folder: Path
    new: bool


@dataclass(frozen=True)
class Member:
    """A file in an archive; ``wrong`` says why it may not be one. ``done`` is how far into the archive it reaches."""

    name: str
    size: int
    content: IO[bytes] | None
    wrong: str
    done: int


def is_archive(name: str) -> bool:
    """Whether a file's name is that of an archive that can be unpacked."""
    return name.lower().endswith(SUFFIXES)


def unpack_command(archives: Sequence[str], to: str) -> str:
    """The command that unpacks these archives, as a shell takes it."""
    named = [shlex.quote(archive) for archive in archives]
    if len(named) > NAMED:
        places = {(archive.rpartition("/")[0], _suffix(archive)) for archive in archives}
        named = [f"{shlex.quote(folder or '.')}/*{suffix}" for folder, suffix in sorted(places)]
    return f"earmark data unpack {' '.join(named)} --to {shlex.quote(to)}"


def archive_told(archive: str) -> tuple[str, str]:
    """What is wrong with data that is an archive, and the remedy."""
    if "://" in archive:
        return f"{archive} is an archive", "unpack it here (earmark data unpack), and upload the folder"
    command = unpack_command([archive], archive.removesuffix(_suffix(archive)))
    return f"{archive} is an archive", f"unpack it first: {command}"


def archives_told(folder: str, archives: Sequence[str]) -> tuple[str, str]:
    """What is wrong with a folder that holds archives and no audio, and the remedy.

    Args:
        folder: its path or URI.
        archives: their keys in it, one at least.
    """
    what = f"no audio below {folder}, and {len(archives)} archive{'s' if len(archives) > 1 else ''}"
    if "://" in folder:
        return what, "unpack them here (earmark data unpack), and upload the folder"
    command = unpack_command([f"{folder.rstrip('/')}/{archive}" for archive in archives], folder)
    return what, f"unpack {'them' if len(archives) > 1 else 'it'} first: {command}"


def _suffix(archive: str) -> str:
    return next(archive[-len(suffix) :] for suffix in (".tar.gz", *SUFFIXES) if archive.lower().endswith(suffix))


def unpack(archives: Sequence[Path], to: Path, progress: Progress) -> list[Unpacked]:
    """Unpack archives, one after another. Files that are there already with the same content stay.

    Args:
        archives: their files.
        to: folder; made if it is not there.
        progress: told how much of all archives is read.

    Raises:
        UserError: no archive, one in parts, a damaged one, one with a member that may not be unpacked (named), a file
            that is there with other content, or too little room. Archives before it stay unpacked.
    """
    for archive in archives:
        _check(archive)
    total = sum(archive.stat().st_size for archive in archives)
    before = 0
    results = []
    try:
        to.mkdir(parents=True, exist_ok=True)
        with _alone(to):
            for archive in archives:
                results.append(_unpack(archive, to, before, total, progress))
                before += archive.stat().st_size
        progress.update((total >> 20) + 1, (total >> 20) + 1, "MB")
    except OSError as error:
        raise UserError(f"cannot unpack to {to}: {error.strerror or error}; choose another folder with --to") from error
    return results


@contextmanager
def _alone(to: Path) -> Iterator[None]:
    """Hold the folder while unpacking, and remove what one that was killed has left."""
    folder = os.open(to, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another command unpacks to {to} at this moment: wait for its end") from None
        for left in to.glob(f"{TEMPORARY}*"):
            shutil.rmtree(left)
        yield
    finally:
        os.close(folder)


def _check(archive: Path) -> None:
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


def _unpack(archive: Path, to: Path, before: int, total: int, progress: Progress) -> Unpacked:
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=to) as temporary:
        folder = Path(temporary, "whole")
        folder.mkdir()
        files, size = 0, 0
        try:
            with closing(_members(archive)) as members:
                for member in members:
                    _write(archive, member, folder, to)
                    files, size = files + 1, size + member.size
                    progress.update((before + member.done) >> 20, (total >> 20) + 1, "MB")
        except BROKEN as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"{archive} is damaged ({error}): fetch it again; nothing of it was unpacked") from None
        if not files:
            raise UserError(f"{archive} holds no file")
        tops = list(folder.iterdir())
        inner = to / tops[0].name if len(tops) == 1 and tops[0].is_dir() else to
        _check_there(archive, folder, to)
        return Unpacked(archive, files, size, inner, _move(folder, to))


def _members(archive: Path) -> Generator[Member]:
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
    with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r|*", bufsize=CHUNK) as whole:
        for info in whole:
            if info.isdir():
                continue
            wrong = "" if info.isreg() else "is a link" if info.issym() or info.islnk() else "is no file"
            yield Member(info.name, info.size, None if wrong else whole.extractfile(info), wrong, file.tell())


def _write(archive: Path, member: Member, folder: Path, to: Path) -> None:
    """Write one member below the temporary folder.

    Raises:
        UserError: a member that may not be unpacked, one that comes twice, or more than the disk has room for.
    """
    path = PurePosixPath(member.name)
    wrong = member.wrong
    if path.is_absolute() or re.match(r"[A-Za-z]:", member.name):
        wrong = "has an absolute path"
    elif ".." in path.parts:
        wrong = "leads out of the folder by '..'"
    target = folder / path
    if not wrong and target.exists():
        wrong = "is there twice"
    if wrong or member.content is None:
        raise UserError(
            f"{archive}: its member {member.name!r} {wrong}, so nothing of it was unpacked: make an archive of plain "
            "files, or unpack it by hand if you trust it"
        )
    free = shutil.disk_usage(to).free
    if member.size > free:
        raise UserError(
            f"{archive}: its member {member.name!r} needs {member.size >> 20} MB and {to} has room for {free >> 20} "
            "MB: free some space, or choose another folder with --to"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        shutil.copyfileobj(member.content, file, CHUNK)
    if target.stat().st_size != member.size:
        raise EOFError(f"{member.name!r} ends early")


def _check_there(archive: Path, folder: Path, to: Path) -> None:
    """Refuse to replace a file by another one."""
    for path in sorted(folder.rglob("*")):
        there = to / path.relative_to(folder)
        same = there.is_dir() if path.is_dir() else there.is_file() and filecmp.cmp(path, there, shallow=False)
        if there.exists() and not same:
            raise UserError(
                f"{archive}: {there} is there already and is another file: choose an empty folder with --to"
            )


def _move(folder: Path, to: Path) -> bool:
    """Move what is not there yet; whole folders where they can be. Whether there was anything."""
    moved = False
    for path in sorted(folder.iterdir()):
        there = to / path.name
        if not there.exists():
            path.rename(there)
            moved = True
        elif path.is_dir():
            moved |= _move(path, there)
    return moved
