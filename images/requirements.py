"""What an image installs, out of pyproject.toml; pip takes the versions from constraints.txt.

    python3 requirements.py --without torch torchaudio    # what earmark needs, but for these
    python3 requirements.py --only mlflow --extra server  # of what earmark needs only this, and an extra
    python3 requirements.py --build                       # what building earmark's own wheel needs

Standard library alone: it runs in a base image before anything is installed.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path


def name(requirement: str) -> str:
    """The package's name, as PyPI writes it, out of ``Name[extra]>=1``."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def requirements(project: dict, only: list[str], without: list[str], extra: list[str], build: bool) -> list[str]:
    """Requirements as pyproject.toml states them.

    Raises:
        SystemExit: a name that is not there.
    """
    if build:
        return project["build-system"]["requires"]
    stated = project["project"]["dependencies"]
    extras = project["project"]["optional-dependencies"]
    unknown = {*only, *without} - {name(r) for r in stated} | {*extra} - extras.keys()
    if unknown:
        sys.exit(f"requirements.py: pyproject.toml has no {', '.join(sorted(unknown))}")
    kept = [r for r in stated if name(r) not in without and (not only or name(r) in only)]
    return kept + [r for e in extra for r in extras[e]]


def main() -> None:
    """Print one requirement a line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--without", nargs="+", default=[])
    parser.add_argument("--extra", nargs="+", default=[])
    parser.add_argument("--build", action="store_true")
    wanted = parser.parse_args()
    project = tomllib.loads(Path("pyproject.toml").read_text())
    print(*requirements(project, **vars(wanted)), sep="\n")


if __name__ == "__main__":
    main()
