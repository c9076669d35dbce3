"""``earmark models download`` and ``earmark models --trained-on``."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

from earmark.pipelines.local import open_place
from earmark.pipelines.terminal import counted, print_json, print_table


def download_model(reference: str, to: Path | None, form: str, work: str, json: bool) -> None:
    """Bring a model's package to this machine, checked; with another form, that is made of it there."""
    os.environ.update(open_place(work).environment())
    from earmark.registry import download, fetch_package, parse_reference

    package = fetch_package(reference) if to is None else download(*parse_reference(reference), to)
    path = package.folder
    if form == "onnx":
        from earmark.registry.export.onnx import write_onnx

        path = write_onnx(package)
    elif form == "pt2":
        path = package.program()
    if json:
        print_json({"name": package.name, "version": package.version, "path": str(path)})
    else:
        print(path)


def show_trained_on(clip: str, work: str, json: bool) -> None:
    """What every version of every model did with a clip."""
    os.environ.update(open_place(work).environment())
    from earmark.registry import trained_on

    found = trained_on(clip)
    if json:
        print_json([asdict(use) for use in found])
        return
    rows = [[u.name, str(u.version), ", ".join(u.aliases), u.part, ", ".join(u.clips)] for u in found]
    trained = len({(use.name, use.version) for use in found if use.trained})
    print_table(
        f"{counted(trained, 'version')} trained on {clip}",
        ("model", "version", "aliases", "part", "clips"),
        rows,
        left=5,
    )
