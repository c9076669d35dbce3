"""Runs as the store records them: what was asked, how far it came, what came out.

Several write of one run: who submits it, its first step, its last one. What was asked and how it ended lie in two
objects, so that none of them takes back what another wrote: ``runs/RUN/run.json`` and ``runs/RUN/end.json``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from earmark.errors import UserError, unknown_name
from earmark.store.base import MissingObject, Store, each
from earmark.store.manifest import Manifest, read_named, read_object

RUNNING, SUCCEEDED, FAILED, STOPPED = "running", "succeeded", "failed", "stopped"
RECORDS = ("run", "end", "begun")
"""What lies beside a run's results."""
CLOCKS_APART_SECONDS = 60.0
"""What the clocks of who submits a run and of the store may differ by."""


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
    """In UTC, to the second. Started again, a run has a new time here, and what ended it before is void."""
    finished: str | None = None
    state: str = RUNNING
    kubeflow: str | None = None
    """Kubeflow's id of the run, where it runs there."""


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def record(store: Store, run: Run) -> None:
    """Write what was asked, and the end if the run has one; an end that another wrote stays as it is."""
    asked = replace(run, finished=None, state=RUNNING)
    store.put(_asked(run.run), json.dumps(asdict(asked)).encode())
    if run.finished is not None:
        _write_end(store, run)


def record_new(store: Store, run: Run) -> bool:
    """Write what was asked, unless a record is there; True if this call wrote it."""
    return store.put_new(_asked(run.run), json.dumps(asdict(run)).encode())


def end(store: Store, run: str, state: str) -> Run | None:
    """Record how a run ended; None where nobody recorded that it began. A run that was stopped did not fail by that."""
    found = read_run(store, run)
    if found is None or (found.state, state) == (STOPPED, FAILED):
        return found
    ended = replace(found, finished=now(), state=state)
    _write_end(store, ended)
    return ended


def begin(store: Store, run: str) -> None:
    """The run's first step is well: what steps wrote before it, at an earlier start, is not of this one."""
    found, key = read_run(store, run), _begun(run)
    started = found.started if found else ""
    # Kubeflow may run a first step again beside steps that are done.
    if store.head(key) is None or read_named(store, key, read_object)["started"] != started:
        store.put(key, json.dumps({"started": started}).encode())


def written_from(store: Store, run: str) -> float:
    """From when on, by the store's clock, what steps wrote is of the run's present start; seconds since 1970."""
    found, began = read_run(store, run), store.head(_begun(run))
    if found is None:
        return 0.0
    if began is not None and read_named(store, began.key, read_object)["started"] == found.started:
        return began.modified
    started = datetime.strptime(found.started, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return started.timestamp() - CLOCKS_APART_SECONDS


def read_run(store: Store, run: str) -> Run | None:
    """The record of a run by its whole id, None where there is none."""
    return _read(store, run) if store.head(_asked(run)) is not None else None


def list_runs(store: Store) -> list[Run]:
    """All recorded runs, the newest first."""
    names = [key.split("/")[1] for key in (info.key for info in store.list("runs/")) if key.endswith("/run.json")]
    return sorted(each(store, lambda name: _read(store, name), names), key=lambda run: run.started, reverse=True)


def find_run(store: Store, name: str) -> Run:
    """A run by its id, Kubeflow's id of it, or a beginning of its id that only one run has.

    Raises:
        UserError: no such run, with the nearest one there is.
    """
    runs = list_runs(store)
    if not runs:
        raise UserError(f"no run in {store.uri} yet: start one with `earmark run compare --data DIR`")
    whole = [run for run in runs if name in (run.run, run.kubeflow)]
    matching = whole or [run for run in runs if run.run.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UserError(f"run {name!r} fits {', '.join(run.run for run in matching)}: say more of it")
    raise unknown_name("run", name, [run.run for run in runs])


def result_of(store: Store, run: str, step: str) -> Manifest | None:
    """What a step of a run handed on, if it got that far."""
    key = f"runs/{run}/{step}.json"
    return read_named(store, key, Manifest.from_json) if store.head(key) else None


def results_of(store: Store, run: str) -> dict[str, Manifest]:
    """What all steps of a run handed on, by their names with variants (``train_model.vgg``)."""
    folder = f"runs/{run}/"
    names = (info.key.removeprefix(folder) for info in store.list(folder))
    own = sorted(name.removesuffix(".json") for name in names if name.endswith(".json") and "/" not in name)
    kept = [name for name in own if name not in RECORDS]
    return {name: read_named(store, f"{folder}{name}.json", Manifest.from_json) for name in kept}


def _read(store: Store, name: str) -> Run:
    values = read_named(store, _asked(name), read_object)
    run = Run(**{**values, "variants": tuple(values["variants"])})
    try:
        ended = read_named(store, _ended(name), read_object)
    except MissingObject:
        return run
    if ended["started"] != run.started:
        return run
    return replace(run, finished=ended["finished"], state=ended["state"])


def _write_end(store: Store, run: Run) -> None:
    ended = {"started": run.started, "finished": run.finished, "state": run.state}
    store.put(_ended(run.run), json.dumps(ended).encode())


def _begun(run: str) -> str:
    return f"runs/{run}/begun.json"


def _asked(run: str) -> str:
    return f"runs/{run}/run.json"


def _ended(run: str) -> str:
    return f"runs/{run}/end.json"
