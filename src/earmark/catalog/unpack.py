"""Archives of sound (zip, tar, tar.gz) into a folder, each whole or not at all.

An archive is unpacked into a hidden folder beside its place, and only then moved there. Nothing in it can lead out: a
member with an absolute path or ``..`` refuses the archive, as do links, devices and encrypted members.
"""

from __future__ import annotations

import fcntl
import filecmp
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from earmark.catalog.members import BROKEN, Member, check_archive, members_of
from earmark.errors import UserError
from earmark.progress import Progress

TEMPORARY = ".unpacking-"
CHUNK = 1 << 20


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
        check_archive(archive)
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


def _unpack(archive: Path, to: Path, before: int, total: int, progress: Progress) -> Unpacked:
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=to) as temporary:
        folder = Path(temporary, "whole")
        folder.mkdir()
        files, size = 0, 0
        try:
            with closing(members_of(archive)) as members:
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
