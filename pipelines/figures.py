"""``earmark figures``: the figures of any run as files, and what they say of when labels were heard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.errors import UserError
from earmark.evaluation.figures import figures_of, timeline_files
from earmark.evaluation.report.times import times_found
from earmark.pipelines.local import Place, open_place
from earmark.pipelines.terminal import counted, print_json
from earmark.store import open_store
from earmark.store.runs import find_run

if TYPE_CHECKING:
    from earmark.evaluation.report import Timeline


def write_figures(
    run: str | None, to: Path | None, network: str | None, clip: Path | None, model: str, work: str, json: bool
) -> None:
    """Draw a run, or a model's outputs over one file, and list what was written.

    Args:
        run: its id or the beginning of it; None where only a clip is drawn.
        to: the folder; by default below the work folder, named by the run or the model.
        network: whose labels and outputs.
        clip: a file to draw the model's outputs over.
        model: of the clip: a registered model or a package's folder.
        work: the work folder.
        json: whether one JSON document is wanted.

    Raises:
        UserError: neither run nor clip, no such run, network, file or model, or a folder that cannot be written.
    """
    if run is None and clip is None:
        raise UserError("name a run (see `earmark runs`), or a file with --clip")
    place = open_place(work)
    files: list[tuple[str, bytes]] = []
    timelines: list[Timeline] = []
    name = ""
    if run is not None:
        store = open_store(place.environment()["EARMARK_STORE"])
        name = find_run(store, run).run
        found = figures_of(store, name, network)
        files += found.files()
        timelines += found.timelines
    if clip is not None:
        title, drawn = _of_clip(model, clip, work)
        name = name or title
        files += timeline_files([drawn])
        timelines.append(drawn)
    written = _write(to or _folder(place, name), files)
    _tell(written, timelines, json)


def _folder(place: Place, name: str) -> Path:
    return place.work / "figures" / name.strip("/").replace("/", "-")


def _of_clip(model: str, clip: Path, work: str) -> tuple[str, Timeline]:
    from earmark.evaluation.figures import timeline_of_file
    from earmark.pipelines.fetching import fetch_model
    from earmark.pipelines.sound import enter

    enter(work)
    fetched = fetch_model(model)
    return fetched.title, timeline_of_file(fetched.model, clip)


def _write(folder: Path, files: Iterable[tuple[str, bytes]]) -> list[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files:
            (folder / name).write_bytes(content)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}; choose another folder with --to") from None
    return [folder / name for name, _ in files]


def _tell(written: Sequence[Path], timelines: Sequence[Timeline], json: bool) -> None:
    times = times_found(timelines)
    if json:
        auc, events = times or (None, 0)
        print_json({"files": [str(path) for path in written], "times": {"auc": auc, "labels": events}})
        return
    for path in written:
        print(path)
    if times is not None:
        print(
            f"outputs inside a label's true times are above those outside in {times[0]:.0%} of the pairs of moments "
            f"(AUC {times[0]:.3f}, mean over {counted(times[1], 'label')} of the clips shown)"
        )
