"""What the commands on data sets do, once their arguments are read."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from earmark.errors import UserError
from earmark.pipelines.local import open_place
from earmark.pipelines.terminal import Terminal, counted, print_json, print_table
from earmark.progress import Progress

if TYPE_CHECKING:
    from earmark.catalog import Dataset
    from earmark.config import Config
    from earmark.store import Manifest, Store


@dataclass(frozen=True)
class Prepared:
    """The results that a run makes first, in the store where a run would keep them."""

    store: Store
    catalog: Manifest
    patches: Manifest
    dataset: Manifest

    def open(self) -> Dataset:
        """The dataset."""
        from earmark.catalog import Dataset

        return Dataset.open(self.store, self.dataset, self.patches)


class _Told:
    """A stream of events, read aloud on the terminal."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def write(self, line: str) -> None:
        self._terminal.event(json.loads(line))

    def flush(self) -> None:
        pass


@contextmanager
def telling() -> Iterator[Terminal]:
    """A terminal for the progress of steps in this process."""
    terminal = Terminal()
    try:
        yield terminal
    finally:
        terminal.close()


def progress_on(terminal: Terminal, step: str) -> Progress:
    """Progress of a step, shown there."""
    return Progress(step, "json", cast(TextIO, _Told(terminal)))


def open_kept(work: str) -> Store:
    """The store of a work folder, or the one that the environment names."""
    from earmark.store import open_store

    return open_store(open_place(work).environment()["EARMARK_STORE"])


def prepare(store: Store, data: str, config: Config, terminal: Terminal) -> Prepared:
    """Catalog, decode and assemble a data set as a run does; a run with the same config finds all of it.

    Raises:
        UserError: as the steps.
    """
    from earmark.catalog import assemble_dataset, build_catalog
    from earmark.features import extract_features
    from earmark.pipelines.requests import absolute

    def progress(step: str) -> Progress:
        return progress_on(terminal, step)

    catalog = build_catalog(store, absolute(data), config.data, progress("build_catalog"))
    patches = extract_features(store, catalog, config.features, config.data, progress("extract_features"))
    terminal.clear("extract_features")
    dataset = assemble_dataset(store, catalog, patches, config.data, progress("assemble_dataset"))
    return Prepared(store, catalog, patches, dataset)


def mix_data(source: str, to: Path, how: Mapping[str, Any], patch: Mapping[str, Any], work: str, as_json: bool) -> None:
    """``earmark data mix``: scenes made of a data set's clips."""
    from earmark.catalog.splits import SPLITS
    from earmark.config import make_config
    from earmark.corpus import Mix, Source, mix
    from earmark.store import open_store

    numbers = Mix(**{**how, "events": _counts(how["events"]), "snr_db": _range("--snr", how["snr_db"])})
    began = time.monotonic()
    with telling() as terminal:
        found = prepare(open_kept(work), source, make_config("modern", patch), terminal)
        dataset = found.open()
        sources = [
            Source(
                *(clip.clip_key, clip.clip_id, clip.uri, clip.start_s, clip.end_s),
                labels=tuple(dataset.labels[label] for label in clip.labels),
                split=split,
            )
            for split in SPLITS
            for clip in dataset.clips(split)
        ]
        root = open_store(found.catalog.facts["data"])
        scenes = mix(root, sources, SPLITS, to.expanduser(), numbers, progress_on(terminal, "mix"))
    splits = Counter(scene.split for scene in scenes)
    by_label = {split: Counter(x for s in scenes if s.split == split for x in s.labels) for split in SPLITS}
    labels = Counter(len(scene.labels) for scene in scenes)
    told = {
        "folder": str(to),
        "scenes": dict(splits),
        "events": sum(len(scene.events) for scene in scenes),
        "labels": {name: {split: by_label[split][name] for split in SPLITS} for name in dataset.labels},
        "labels_per_scene": {str(count): labels[count] for count in sorted(labels)},
        "seconds": round(time.monotonic() - began, 1),
    }
    if as_json:
        print_json(told)
        return
    rows = [[name, *(f"{by_label[split][name]:,}" for split in SPLITS)] for name in dataset.labels]
    rows.append(["all scenes", *(f"{splits[split]:,}" for split in SPLITS)])
    print_table(f"Scenes with each label, {to}", ("label", *SPLITS), rows)
    print(", ".join(f"{counted(labels[n], 'scene')} with {counted(n, 'label')}" for n in sorted(labels)))
    print(f"Train on them: earmark run compare --data {to}")


def _range(option: str, text: str) -> tuple[float, float]:
    """``0-15``, ``-5-10`` or ``6``."""
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)(?:-(-?\d+(?:\.\d+)?))?", text.strip())
    low, high = (float(found[1]), float(found[2] or found[1])) if found else (1.0, 0.0)
    if low > high:
        raise UserError(f"{option} {text!r}: give a number, or the lowest and the highest, as in 0-15")
    return low, high


def _counts(text: str) -> tuple[int, int]:
    low, high = _range("--events", text)
    if low < 1 or low != int(low) or high != int(high):
        raise UserError(f"--events {text!r}: give whole numbers from 1 on, as in 1-4")
    return int(low), int(high)
