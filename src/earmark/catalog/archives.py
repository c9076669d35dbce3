"""What is said where an archive is given in place of a folder of sound."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
NAMED = 8
"""So many archives are named one by one in a command; more by patterns."""


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
