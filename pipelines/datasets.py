"""What the commands on data sets do, once their arguments are read."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from earmark.errors import UserError
from earmark.pipelines.local import open_place
from earmark.pipelines.terminal import Terminal, counted, print_json, print_table
from earmark.progress import Progress

if TYPE_CHECKING:
    from earmark.store import Store


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


def _steps(terminal: Terminal) -> Callable[[str], Progress]:
    return lambda step: progress_on(terminal, step)


def open_kept(work: str) -> Store:
    """The store of a work folder, or the one that the environment names."""
    from earmark.store import open_store

    return open_store(open_place(work).environment()["EARMARK_STORE"])


def mix_data(source: str, to: Path, how: Mapping[str, Any], patch: Mapping[str, Any], work: str, as_json: bool) -> None:
    """``earmark data mix``: scenes made of a data set's clips."""
    from earmark.catalog.splits import SPLITS
    from earmark.config import make_config
    from earmark.corpus import Mix, Source, mix, prepare
    from earmark.pipelines.requests import absolute
    from earmark.store import open_store

    numbers = Mix(**{**how, "events": _counts(how["events"]), "snr_db": _range("--snr", how["snr_db"])})
    began = time.monotonic()
    with telling() as terminal:
        found = prepare(open_kept(work), absolute(source), make_config("modern", patch), _steps(terminal))
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


def check_data(data: str, preset: str, patch: Mapping[str, Any], work: str, as_json: bool) -> bool:
    """``earmark data check``: what a run would make of a data set. Whether a run would go on from there."""
    from earmark.config import make_config
    from earmark.corpus import about, inspect
    from earmark.pipelines.requests import absolute

    with telling() as terminal:
        found = inspect(open_kept(work), absolute(data), make_config(preset, patch), _steps(terminal))
    told = about(*found)
    if as_json:
        print_json(told)
    else:
        _show_checked(data, told)
    return not told["refused"]


def describe_data(
    data: str, output: Path | None, preset: str, patch: Mapping[str, Any], work: str, as_json: bool
) -> None:
    """``earmark data describe``: counts, and a page of pictures.

    Raises:
        UserError: there is no catalog or no usable clip, or the page cannot be written.
    """
    from earmark.config import make_config
    from earmark.corpus import describe, inspect
    from earmark.corpus.page import render_description
    from earmark.pipelines.requests import absolute

    with telling() as terminal:
        found, refused = inspect(open_kept(work), absolute(data), make_config(preset, patch), _steps(terminal))
    if found is None:
        raise refused[0]
    told = describe(found, refused)
    if not told["clips"]:
        raise refused[0]
    name = Path(data.rstrip("/")).name or "data"
    page = output or open_place(work).work / "reports" / f"data-{name}.html"
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(render_description(name, told))
    except OSError as error:
        raise UserError(f"cannot write {page}: {error.strerror}; choose another file with --output") from None
    if as_json:
        print_json({**told, "page": str(page)})
        return
    _show_described(data, told)
    print(page)


def _show_checked(data: str, told: Mapping[str, Any]) -> None:
    if "form" in told:
        dropped = sum(told["dropped"].values())
        print(
            f"{data}: read as {told['form']}; {counted(told['listed'], 'clip')}, {told['left_out']:,} left out"
            + (f", {dropped:,} more listed and not taken" if dropped else "")
            + (f", {told['unused_test']:,} test clips not used" if told["unused_test"] else "")
        )
        _show_labels(told)
        _show_findings(told)
    for reason in told["refused"]:
        print(f"A run would be refused: {reason}")
    if not told["refused"]:
        print("A run would take it.")


def _show_labels(told: Mapping[str, Any]) -> None:
    labels, splits = told["labels"], told["splits"]
    columns = ["clips", *(splits or ())]
    coverage = {name: f"{there:,} of {listed:,}" for name, (there, listed) in told["coverage"].items()}
    rows = [[name, *(f"{counts[key]:,}" for key in columns)] for name, counts in labels.items()]
    rows.append(["all clips", *(f"{count:,}" for count in (told["clips"], *(splits or {}).values()))])
    if coverage:
        rows = [[*row, coverage.get(row[0], "")] for row in rows]
        columns.append("there of listed")
    print_table(counted(len(labels), "label"), ("label", *columns), rows)


def _show_findings(told: Mapping[str, Any]) -> None:
    rows = [
        [kind, _examples(found["examples"]), f"{found['count']:,}", f"{found['left_out']:,}"]
        for kind, found in told["findings"].items()
    ]
    if rows:
        total = sum(found["count"] for found in told["findings"].values())
        columns = ("finding", "for example", "clips", "left out")
        print_table(counted(total, "finding"), columns, rows, left=2, wrapped=("for example",))
    for reason, count in told["dropped"].items():
        print(f"{counted(count, 'listed clip')} not taken: {reason}")
    for label, count in told["dropped_labels"].items():
        print(f"label {label} not taken, of {counted(count, 'clip')}")


def _examples(examples: Sequence[Mapping[str, str]]) -> str:
    return "; ".join(f"{found['clip']}: {found['detail']}".removesuffix(": ") for found in examples)


def _show_described(data: str, told: Mapping[str, Any]) -> None:
    _show_checked(data, told)
    rows = [[what, ", ".join(f"{name}: {count:,}" for name, count in told[key].items())] for key, what in COUNTED]
    for key, what in SPREADS:
        quartiles = told[key]["quartiles"]
        if quartiles:
            rows.append([what, " / ".join(f"{value:.6g}" for value in quartiles)])
    print_table(f"{told['seconds'] / 60:,.1f} min of sound", ("what", "clips"), rows, left=2, wrapped=("clips",))


COUNTED = (
    *(("formats", "format"), ("rates", "rate (Hz)"), ("channels", "channels")),
    ("labels_per_clip", "labels a clip"),
)
SPREADS = (("duration", "seconds: least / quartiles / most"), ("peak_dbfs", "peak (dBFS): least / quartiles / most"))


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
