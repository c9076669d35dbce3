"""Checkpoints in the store: the complete state as safetensors and JSON, the marker last, verified when read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from earmark.errors import UserError
from earmark.store import FileRef, Store, open_store
from earmark.training.origin import SCHEMA_VERSION, read_marker

STATE, MARKER = "state.safetensors", "done.json"


@dataclass(frozen=True)
class Checkpoint:
    """A state to go on from."""

    tensors: dict[str, Tensor]
    meta: dict[str, Any]
    """Plain JSON; ``step`` is the number of steps done."""


class Checkpoints:
    """The checkpoints of one training, below ``<folder>/checkpoints/step-<n>/``.

    Args:
        store: where they lie.
        folder: the result's folder.
        keep: how many of the latest stay.
        note: told of every checkpoint that cannot be used.
        origin: what every marker says of where it comes from (see :func:`earmark.training.origin.origin`).
        resume_from: folder of a checkpoint, in any store, to go on from where there is none as new here.
    """

    def __init__(
        self,
        store: Store,
        folder: str,
        keep: int,
        note: Callable[[str], None],
        origin: Mapping[str, Any] | None = None,
        resume_from: str | None = None,
    ) -> None:
        self.store, self.folder, self.keep, self.note = store, f"{folder}/checkpoints", keep, note
        self.origin, self.resume_from = dict(origin or {}), resume_from

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, then remove those beyond the number to keep."""
        folder = f"{self.folder}/step-{checkpoint.meta['step']:08d}"
        data = save({name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()})
        state = {"file": STATE, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        # A marker from a run with the same steps must not vouch for the state that replaces its own.
        self.store.delete(f"{folder}/{MARKER}")
        self.store.put(f"{folder}/{STATE}", data)
        marker = {"schema_version": SCHEMA_VERSION, "state": state, "origin": self.origin, "meta": checkpoint.meta}
        self.store.put(f"{folder}/{MARKER}", json.dumps(marker, sort_keys=True, allow_nan=False).encode())
        # One of another schema may be of a later step: it does not push out what was just written.
        for old in [found for found in self._steps() if found <= folder][self.keep :]:
            self._remove(old)

    def latest(self) -> Checkpoint | None:
        """The latest checkpoint that is whole, None if there is none; a damaged one is named and removed.

        Raises:
            UserError: the one to resume from is needed and damaged or not there.
        """
        own = self._own()
        if self.resume_from is None:
            return own
        try:
            marker = read_marker(self.resume_from)
        except UserError:
            # Its own run, or this one, may have removed it among the older ones since this run went on from it.
            if own is None:
                raise
            return own
        if own is not None and own.meta["step"] >= marker["meta"]["step"]:
            return own
        try:
            return _read(open_store(self.resume_from), "", marker)
        except Exception as error:
            raise UserError(f"train.resume_from: {self.resume_from} is damaged ({error}): give another one") from error

    def _own(self) -> Checkpoint | None:
        for folder in self._steps():
            try:
                marker = json.loads(self.store.get(f"{folder}/{MARKER}"))
                if marker["schema_version"] != SCHEMA_VERSION:
                    self.note(f"checkpoint {folder} is of schema {marker['schema_version']}, not used")
                    continue
                return _read(self.store, f"{folder}/", marker)
            except Exception as error:  # whatever is wrong with it, it is not the only way to go on
                self.note(f"checkpoint {folder} in {self.store.uri} is damaged, using the one before it ({error})")
                self._remove(folder)
        return None

    def _steps(self) -> list[str]:
        """Folders of the checkpoints with a marker, latest first."""
        found = (info.key for info in self.store.list(f"{self.folder}/step-"))
        return sorted((key.rpartition("/")[0] for key in found if key.endswith(f"/{MARKER}")), reverse=True)

    def _remove(self, folder: str) -> None:
        self.store.delete(f"{folder}/{MARKER}")
        self.store.delete(f"{folder}/{STATE}")


def _read(store: Store, prefix: str, marker: Mapping[str, Any]) -> Checkpoint:
    state = marker["state"]
    data = FileRef(prefix + state["file"], state["size"], state["sha256"]).read(store)
    return Checkpoint(load(data), marker["meta"])


class Writer:
    """Writes checkpoints by a thread of its own, one at a time, while training goes on.

    As a context it ends when all is written. What goes wrong is raised in the thread that trains, at its next call.
    """

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints
        self._pool = ThreadPoolExecutor(1, "checkpoints")
        self._written: Future[None] | None = None

    def save(self, checkpoint: Checkpoint) -> None:
        """Have a checkpoint written, whose tensors nobody changes any more; waits for the one before it."""
        self.wait()
        self._written = self._pool.submit(self._checkpoints.save, checkpoint)

    def wait(self) -> None:
        """Return when all is written."""
        written, self._written = self._written, None
        if written is not None:
            written.result()

    def check(self) -> None:
        """Raise what went wrong meanwhile; never waits."""
        if self._written is not None and self._written.done():
            self.wait()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self.wait()
        except Exception as also:
            if error is None:
                raise
            error.add_note(f"and the last checkpoint could not be written: {also}")
        finally:
            self._pool.shutdown()
