"""Whether there is a place to write, and how much room is in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from earmark.checking.lines import Line

LOW_DISK_BYTES, NO_DISK_BYTES = 10 * 2**30, 2**30
# A folder is held open while it is looked at: others may remove it meanwhile.
HOLD = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY


def why_not_writable(folder: Path) -> str:
    """Why a folder, or the one that it would be made in, cannot be written; empty where it can."""
    try:
        with _nearest(folder) as held:
            return "" if os.access(".", os.W_OK, dir_fd=held) else "Permission denied"
    except OSError as error:
        return error.strerror or str(error)


def disk_line(part: str, folder: Path) -> Line:
    """How much room is left where a folder is, or will be."""
    with _nearest(folder) as held:
        disk = os.fstatvfs(held)
    free = disk.f_bavail * disk.f_frsize
    what = f"{free / 2**30:.1f} GiB free at {folder}"
    if free < NO_DISK_BYTES:
        return Line("bad", part, what, "make room, or choose another place: a run stops when it cannot write")
    if free < LOW_DISK_BYTES:
        hint = "make room before a long run: an hour of sound is 22 MB, a checkpoint up to 1 GB"
        return Line("note", part, what, hint)
    return Line("ok", part, what)


@contextmanager
def _nearest(folder: Path) -> Iterator[int]:
    """The folder, or the nearest one above it that is there, held open.

    Raises:
        OSError: something on the way is no folder, or may not be entered.
    """
    absolute = folder.absolute()
    for path in (absolute, *absolute.parents):
        try:
            held = os.open(path, HOLD)
        except FileNotFoundError:
            continue
        try:
            yield held
        finally:
            os.close(held)
        return
