"""Why steps of a run failed, as far as they could say: one small object each, gone once the step succeeds."""

from __future__ import annotations

import json
from dataclasses import dataclass

from earmark.store.base import MissingObject, Store
from earmark.store.manifest import read_named, read_object


@dataclass(frozen=True)
class Cause:
    """Why a step failed."""

    step: str
    """With its variant, as in ``train_model.vgg``."""
    cause: str
    """In a line."""
    exit_code: int
    """2 for what the user can mend."""
    written: float = 0.0
    """When, in seconds since 1970, by the store's clock."""


def leave_cause(store: Store, run: str, cause: Cause) -> None:
    """Say why a step failed, in place of what it said before."""
    told = {"step": cause.step, "cause": cause.cause, "exit_code": cause.exit_code}
    store.put(_key(run, cause.step), json.dumps(told).encode())


def take_back_cause(store: Store, run: str, step: str) -> None:
    """The step succeeded after all."""
    if store.head(_key(run, step)) is not None:
        store.delete(_key(run, step))


def causes_of(store: Store, run: str) -> list[Cause]:
    """What steps of a run said, the earliest first."""
    found = []
    for info in list(store.list(_key(run, "").removesuffix(".json"))):
        try:
            found.append(Cause(**read_named(store, info.key, read_object), written=info.modified))
        except MissingObject:  # taken back meanwhile
            continue
    return sorted(found, key=lambda cause: cause.written)


def _key(run: str, step: str) -> str:
    return f"runs/{run}/errors/{step}.json"
