"""Checkpoints in the store: the complete state as safetensors and JSON, the marker last, verified when read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from earmark.store import FileRef, Store

SCHEMA_VERSION = 1


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
    """

    def __init__(self, store: Store, folder: str, keep: int, note: Callable[[str], None]) -> None:
        self.store, self.folder, self.keep, self.note = store, f"{folder}/checkpoints", keep, note

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, then remove those beyond the number to keep."""
        folder = f"{self.folder}/step-{checkpoint.meta['step']:08d}"
        data = save({name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()})
        state = FileRef(f"{folder}/state.safetensors", len(data), hashlib.sha256(data).hexdigest())
        # A marker from a run with the same steps must not vouch for the state that replaces its own.
        self.store.delete(f"{folder}/done.json")
        self.store.put(state.object, data)
        marker = {"schema_version": SCHEMA_VERSION, "state": vars(state), "meta": checkpoint.meta}
        self.store.put(f"{folder}/done.json", json.dumps(marker, sort_keys=True, allow_nan=False).encode())
        for old in self._steps()[self.keep :]:
            self._remove(old)

    def latest(self) -> Checkpoint | None:
        """The latest checkpoint that is whole, None if there is none; a damaged one is named and removed."""
        for folder in self._steps():
            try:
                marker = json.loads(self.store.get(f"{folder}/done.json"))
                if marker["schema_version"] != SCHEMA_VERSION:
                    self.note(f"checkpoint {folder} is of schema {marker['schema_version']}, not used")
                    continue
                tensors = load(FileRef(**marker["state"]).read(self.store))
                return Checkpoint(tensors, marker["meta"])
            except Exception as error:  # whatever is wrong with it, it is not the only way to go on
                self.note(f"checkpoint {folder} in {self.store.uri} is damaged, using the one before it ({error})")
                self._remove(folder)
        return None

    def _steps(self) -> list[str]:
        """Folders of the checkpoints with a marker, latest first."""
        found = (info.key for info in self.store.list(f"{self.folder}/step-"))
        return sorted((key.rpartition("/")[0] for key in found if key.endswith("/done.json")), reverse=True)

    def _remove(self, folder: str) -> None:
        self.store.delete(f"{folder}/done.json")
        self.store.delete(f"{folder}/state.safetensors")
