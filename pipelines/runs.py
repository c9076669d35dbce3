"""Runs as the store records them: what was asked, how far it came, what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from earmark.config import digest
from earmark.errors import UserError, unknown_name
from earmark.store import Manifest, Store


@dataclass(frozen=True)
class Run:
    """One run of a pipeline."""

    run: str
    pipeline: str
    data: str
    model: str
    preset: str
    variants: tuple[str, ...]
    started: str
    finished: str | None = None
    state: str = "running"


def networks_of(run: Run) -> str:
    """The networks of a run; where folds and seeds make several models of each, how many."""
    networks = list(dict.fromkeys(variant.partition(".")[0] for variant in run.variants))
    many = f" ({len(run.variants)} models)" if len(run.variants) > len(networks) else ""
    return ", ".join(networks) + many


def run_id(pipeline: str, arguments: Mapping[str, Any]) -> str:
    """A run is named by what was asked: the same command goes on with, or finds, the same run."""
    return f"{pipeline}-{digest(dict(arguments))[:8]}"


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def record(store: Store, run: Run) -> None:
    """Write the run's record."""
    store.put(f"runs/{run.run}/run.json", json.dumps(asdict(run)).encode())


def list_runs(store: Store) -> list[Run]:
    """All recorded runs, the newest first."""
    keys = [info.key for info in store.list("runs/") if info.key.endswith("/run.json")]
    runs = [_parse(store.get(key)) for key in keys]
    return sorted(runs, key=lambda run: run.started, reverse=True)


def find_run(store: Store, name: str) -> Run:
    """A run by its id, or by a beginning of it that only one run has.

    Raises:
        UserError: no such run, with the nearest one there is.
    """
    runs = list_runs(store)
    if not runs:
        raise UserError(f"no run in {store.uri} yet: start one with `earmark run compare --data DIR`")
    matching = [run for run in runs if run.run == name] or [run for run in runs if run.run.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UserError(f"run {name!r} fits {', '.join(run.run for run in matching)}: say more of it")
    raise unknown_name("run", name, [run.run for run in runs])


def result_of(store: Store, run: str, step: str) -> Manifest | None:
    """What a step of a run handed on, if it got that far."""
    key = f"runs/{run}/{step}.json"
    return Manifest.from_json(store.get(key)) if store.head(key) else None


def _parse(data: bytes) -> Run:
    values = json.loads(data)
    return Run(**{**values, "variants": tuple(values["variants"])})
