"""A corpus of scenes, mixed from labelled clips: each split's of its own clips alone."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

from earmark.corpus.render import Sounds, flac, render, sound_of
from earmark.corpus.scenes import Heard, Mix, Scene, Source, heard, plan
from earmark.errors import UserError
from earmark.features import SAMPLE_RATE, DecodeError, decode
from earmark.progress import Progress
from earmark.store import Store

THREADS = 2
SOUNDS_KEPT = 256
"""Decoded sources that are kept at hand."""
README = "README.txt"
LICENCES = re.compile(r"(readme|licen[cs]e|copying|attribution|notice)[^/]*", re.IGNORECASE)
"""What tells of rights, directly in a data root; copied to ``sources/``."""

__all__ = ["Mix", "Source", "mix"]


def mix(
    root: Store, sources: Sequence[Source], splits: Sequence[str], to: Path, how: Mix, progress: Progress
) -> list[Scene]:
    """Make the corpus in a folder: ``audio/``, ``scenes.csv``, ``events.csv``, ``README.txt``.

    Scenes that are there and whole are not made again. The same bytes come of the same clips and seed.

    Args:
        root: where the sources lie.
        sources: labelled clips with their splits.
        splits: in the order of making.
        to: the folder.
        how: numbers.
        progress: told how many scenes there are.

    Raises:
        UserError: a split without a clip that sounds, a folder with other things in it, or one that cannot be written.
    """
    about = _about(root, sources, how)
    try:
        _claim(to, about)
        sounds = lru_cache(SOUNDS_KEPT)(lambda source: sound_of(root, source))
        found = _survey(sources, sounds, progress)
        for split in splits:
            if not any(source.split == split for source in found):
                raise UserError(f"no clip of {split} in {root.uri} sounds: check it with `earmark data check`")
        scenes = plan(how, found, splits)
        samples = round(how.seconds * SAMPLE_RATE)

        def make(scene: Scene) -> None:
            path = to / "audio" / f"{scene.name}.flac"
            if not _whole(path, samples):
                _put(path, flac(render(how, scene, sounds)))

        _each("scenes", make, scenes, progress)
        _put(to / "events.csv", _events(scenes))
        _put(to / "scenes.csv", _scenes(scenes))
        for name in sorted(info.key for info in root.list() if LICENCES.fullmatch(info.key)):
            _put(to / "sources" / name, root.get(name))
    except OSError as error:
        raise UserError(f"cannot write {to}: {error.strerror or error}; choose another folder with --to") from error
    return scenes


def _claim(to: Path, about: str) -> None:
    """Take the folder; what was begun in it must be this very corpus."""
    readme = to / README
    if readme.is_file() and readme.read_text() == about:
        return
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UserError(f"{to} holds something else than this mix: choose an empty or new folder with --to")
    (to / "audio").mkdir(parents=True)
    _put(readme, about.encode())


def _survey(sources: Sequence[Source], sounds: Sounds, progress: Progress) -> dict[Source, Heard]:
    found: dict[Source, Heard | None] = {}

    def listen(source: Source) -> None:
        found[source] = heard(sounds(source))

    _each("sources", listen, sources, progress)
    there = ((source, found[source]) for source in sorted(sources, key=lambda source: source.clip_id))
    return {source: where for source, where in there if where is not None}


def _each(unit: str, work: Callable[[Any], None], items: Sequence[Any], progress: Progress) -> None:
    with ThreadPoolExecutor(THREADS, "mix") as pool:
        try:
            for done, _ in enumerate(pool.map(work, items), 1):
                progress.update(done, len(items), unit)
        except BaseException:  # also Ctrl-C: what has not begun is not waited for
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _whole(path: Path, samples: int) -> bool:
    try:
        return len(decode(path.read_bytes()).samples_NC) == samples
    except (FileNotFoundError, DecodeError):
        return False


def _put(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    half = path.with_name(f".{path.name}.part")
    half.write_bytes(content)
    half.replace(path)


def _scenes(scenes: Iterable[Scene]) -> bytes:
    rows = ((f"audio/{scene.name}.flac", ";".join(scene.labels), scene.split, scene.name) for scene in scenes)
    return _csv(("file", "label", "split", "group"), rows)


def _events(scenes: Iterable[Scene]) -> bytes:
    """No ``file`` column: the catalog takes no such list for one of clips."""
    rows = (
        (
            *(scene.name, ";".join(event.source.labels), event.source.clip_id),
            *(f"{event.onset / SAMPLE_RATE:.4f}", f"{(event.onset + event.length) / SAMPLE_RATE:.4f}"),
            f"{event.snr_db:.2f}",
        )
        for scene in scenes
        for event in scene.events
    )
    return _csv(("scene", "label", "source", "start_s", "end_s", "snr_db"), rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()


def _about(root: Store, sources: Sequence[Source], how: Mix) -> str:
    from earmark.config import digest

    listed = sorted([source.key, source.clip_id, source.split, *source.labels] for source in sources)
    return f"""Scenes mixed by `earmark data mix` from the labelled clips of {Path(root.uri).name}.

{how.scenes} scenes of {how.seconds:g} s, 16 kHz mono FLAC. {how.events[0]} to {how.events[1]} events in each, at
random onsets, {how.snr_db[0]:g} to {how.snr_db[1]:g} dB over a bed of steady noise.
Labels drawn by rank ** -{how.skew:g}; seed {how.seed}; {len(listed)} clips {digest(listed)}.
Every scene is made of clips of its own split alone.

scenes.csv: file, labels (joined by ;), split, group. `earmark run compare --data` takes this folder.
events.csv: scene, label, source clip, start_s, end_s, snr_db.
The sounds are those of the source's authors, under their terms: events.csv names each clip that was used, and what the
source says of its rights lies in sources/, if it says anything.
"""
