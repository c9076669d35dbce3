"""Finds a model in a process of its own: MLflow's 140 MB stay out of the one that computes.

``python -m earmark.pipelines.fetching REFERENCE`` prints where the package lies, as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.errors import EarmarkError, UserError

if TYPE_CHECKING:
    from earmark.evaluation import Model


@dataclass(frozen=True)
class Fetched:
    """A package on this machine, its files checked, and its network."""

    title: str
    model: Model


def fetch_model(reference: str) -> Fetched:
    """The model that a reference names, ready to compute; the environment says where MLflow is.

    Raises:
        UserError: as :func:`earmark.registry.fetch_package`.
        EarmarkError: MLflow does not answer.
    """
    command = [sys.executable, "-m", "earmark.pipelines.fetching", reference]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
    if not told:
        raise EarmarkError(f"model {reference} could not be fetched: standard error says why")
    found = json.loads(told)
    if "error" in found:
        raise (UserError if found["exit_code"] == UserError.exit_code else EarmarkError)(found["error"])
    from earmark.evaluation import model_of

    folder = Path(found["folder"])
    document = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    return Fetched(found["title"], model_of((folder / "weights.safetensors").read_bytes(), document))


def main() -> None:
    """Fetch the package and say where it is, or why there is none."""
    from earmark.registry import fetch_package

    try:
        package = fetch_package(sys.argv[1])
        told: dict[str, object] = {"folder": str(package.folder.absolute()), "title": package.title}
    except EarmarkError as error:
        told = {"error": str(error), "exit_code": error.exit_code}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
