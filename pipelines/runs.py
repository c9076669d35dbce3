"""How the command line names runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from earmark.config import digest
from earmark.store.runs import Run


def networks_of(run: Run) -> str:
    """The networks of a run; where folds and seeds make several models of each, how many."""
    networks = list(dict.fromkeys(variant.partition(".")[0] for variant in run.variants))
    many = f" ({len(run.variants)} models)" if len(run.variants) > len(networks) else ""
    return ", ".join(networks) + many


def run_id(pipeline: str, arguments: Mapping[str, Any]) -> str:
    """A run is named by what was asked: the same command goes on with, or finds, the same run."""
    return f"{pipeline}-{digest(dict(arguments))[:8]}"
