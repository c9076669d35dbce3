"""What a run takes of machines: each attempt at a step leaves its seconds under the run, also one that fails.

These lie beside a step's result, never in it: results do not depend on how long they took.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from earmark.errors import UserError
from earmark.store.base import Store, each
from earmark.store.manifest import read_named, read_object

PRICE = "EARMARK_PRICE_PER_HOUR"


@dataclass(frozen=True)
class Usage:
    """What attempts took in all."""

    seconds: float = 0.0
    gpu_seconds: float = 0.0
    """GPUs used × seconds."""
    cost: float | None = None
    """Seconds × the price of the machine's hour; None where no price is known."""
    uncounted: int = 0
    """Attempts that were killed without a word, or still run: their time is not in the rest."""


class Meter:
    """One attempt at a step, from here until :meth:`stop`."""

    def __init__(self, store: Store, run: str, step: str) -> None:
        self.gpus = 0
        """GPUs that the attempt uses; set it once that is known."""
        self._run, self._step, self._key = run, step, f"{_folder(run, step)}{uuid.uuid4().hex}.json"
        self._began, self._price = time.monotonic(), price_per_hour()
        self._write(store, None)

    def earlier(self, store: Store) -> Usage:
        """What the attempts before this one took."""
        return _sum(store, [info.key for info in store.list(_folder(self._run, self._step)) if info.key != self._key])

    def stop(self, store: Store) -> None:
        """Leave what the attempt took."""
        self._write(store, time.monotonic() - self._began)

    def _write(self, store: Store, seconds: float | None) -> None:
        taken = {"seconds": seconds, "gpus": self.gpus, "price_per_hour": self._price}
        store.put(self._key, json.dumps(taken).encode())


def spent(store: Store, run: str, step: str = "") -> Usage:
    """What all attempts at a run's step (``train_model.vgg``) took, or at all its steps."""
    return _sum(store, [info.key for info in store.list(_folder(run, step))])


def _sum(store: Store, keys: Sequence[str]) -> Usage:
    found = each(store, lambda key: read_named(store, key, read_object), keys)
    known = [taken for taken in found if taken["seconds"] is not None]
    priced = [taken for taken in known if taken["price_per_hour"] is not None]
    return Usage(
        sum(taken["seconds"] for taken in known),
        sum(taken["seconds"] * taken["gpus"] for taken in known),
        sum(taken["seconds"] / 3600 * taken["price_per_hour"] for taken in priced) if priced else None,
        len(found) - len(known),
    )


def price_per_hour() -> float | None:
    """What an hour of this machine costs, in whatever currency ``EARMARK_PRICE_PER_HOUR`` is; None where it is not set.

    Raises:
        UserError: that is no number from 0 up.
    """
    text = os.environ.get(PRICE, "").strip()
    if not text:
        return None
    try:
        price = float(text)
    except ValueError:
        price = -1.0
    if not 0 <= price < float("inf"):
        raise UserError(f"{PRICE} is {text!r}: give what an hour of the step's machine costs, as in 2.50")
    return price


def _folder(run: str, step: str) -> str:
    return f"runs/{run}/usage/{step}/" if step else f"runs/{run}/usage/"
