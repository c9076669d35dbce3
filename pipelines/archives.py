"""``earmark data unpack`` and ``earmark data forms``: what comes before a data set can be read."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from earmark.pipelines.terminal import counted, print_json, print_table


def unpack_archives(archives: Sequence[Path], to: Path) -> None:
    """Unpack archives, and say what came of each and what to do next."""
    from earmark.catalog.unpack import unpack
    from earmark.progress import Progress

    results = unpack(archives, to, Progress("unpack", mode="plain", stream=sys.stderr))
    for result in results:
        done = "" if result.new else ", all there already"
        print(f"{result.archive}: {counted(result.files, 'file')}, {result.size / 1e6:,.1f} MB{done}")
    folders = {result.folder for result in results}
    print(f"next: earmark data check {shlex.quote(str(folders.pop() if len(folders) == 1 else to))}")


def show_forms(json: bool) -> None:
    """The forms in which data sets are read."""
    from earmark.catalog.adapters import FORMS

    if json:
        print_json([{"name": form.name, "about": form.about} for form in FORMS])
        return
    rows = [[form.name, form.about] for form in FORMS]
    print_table("Forms of data sets: the first that fits is taken", ["form", "known by"], rows, 2, ["known by"])
