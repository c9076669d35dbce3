"""Checks of what is installed."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from earmark.checking.lines import Line

SHOWN = ("torch", "torchaudio", "mlflow", "kfp")


def check_versions(only: Collection[str] | None = None) -> Iterator[Line]:
    """Lines about what is installed: all that Earmark requires, or those packages alone."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    yield Line("ok", "versions", f"python {python}, earmark {version('earmark')}")
    wrong = list(_out_of_range(only))
    for name, found, wanted in wrong:
        hint = f"install {name}{wanted} (pip install --force-reinstall earmark with its constraints.txt)"
        yield Line("bad", "versions", f"{name} is {found}", hint)
    if not wrong:
        shown = ", ".join(f"{name} {version(name)}" for name in SHOWN if only is None or name in only)
        yield Line("ok", "versions", shown)


def _out_of_range(only: Collection[str] | None) -> Iterator[tuple[str, str, str]]:
    """Name, version and wanted range of each requirement that is not met."""
    from packaging.requirements import Requirement

    for text in requires("earmark") or []:
        wanted = Requirement(text)
        if only is not None and wanted.name not in only:
            continue
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            yield wanted.name, "not installed", str(wanted.specifier)
            continue
        # a local version such as 2.14.1+cu130 is of its release
        if not wanted.specifier.contains(found.partition("+")[0], prereleases=True):
            yield wanted.name, found, str(wanted.specifier)
