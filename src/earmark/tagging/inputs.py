"""What is to be tagged: files, folders, globs, or standard input."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from earmark.errors import UserError
from earmark.features import AUDIO_SUFFIXES
from earmark.store import open_store

STDIN = "-"


@dataclass(frozen=True)
class SoundFile:
    """A file and what it is called: as it was named, or below the folder that was."""

    name: str
    path: Path


def find_sounds(arguments: Sequence[str]) -> list[SoundFile]:
    """The files that the arguments mean, in their order, each once; ``-`` stays itself.

    A folder means the audio files below it (by suffix), a glob what it matches (``**`` any depth). A file that is named
    is taken whatever its suffix, also if it is not there: whoever reads it says so.

    Raises:
        UserError: a folder without audio, a glob that matches nothing.
    """
    found: dict[Path, SoundFile] = {}
    for argument in arguments:
        for sound in _meant(argument):
            found.setdefault(sound.path, sound)
    return list(found.values())


def _meant(argument: str) -> list[SoundFile]:
    path = Path(argument).expanduser()
    if argument == STDIN or path.is_file():
        return [SoundFile(argument, path)]
    if path.is_dir():
        return _below(path)
    if not glob.has_magic(argument):
        return [SoundFile(argument, path)]
    matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207  (the pattern may be absolute)
    files = {m: SoundFile(str(m), m) for m in matches if m.is_file() and _is_audio(m)}
    if not files:
        raise UserError(f"{argument} matches no audio file: check the pattern (quote it, ** means any depth)")
    return list(files.values())


def _below(folder: Path) -> list[SoundFile]:
    keys = [info.key for info in open_store(folder).list() if _is_audio(Path(info.key))]
    if not keys:
        raise UserError(f"no audio below {folder}: give a folder with WAV, FLAC, Ogg, Opus or MP3 files")
    return [SoundFile(str(folder / key), folder / key) for key in keys]


def _is_audio(path: Path) -> bool:
    return path.suffix.lower() in AUDIO_SUFFIXES
