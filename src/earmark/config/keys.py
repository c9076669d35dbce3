"""The key under which a step's result lies: a digest of all that the result depends on, and of nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from earmark.config.experiment import canonical_json

KEY_LENGTH = 32


def digest(value: Any) -> str:
    """Hex digest of any JSON-able value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:KEY_LENGTH]


def result_key(
    step: str,
    epoch: int,
    inputs: Sequence[str] = (),
    config: Mapping[str, BaseModel] | None = None,
    seed: int | None = None,
) -> str:
    """``digest(step, epoch of its code, keys of its inputs, the part of the config that it reads, seed)``.

    Args:
        step: name of the step.
        epoch: raised by hand when the step's code changes what it would write.
        inputs: digests of what the step reads, in order.
        config: the parts of the tree that the step reads, by name.
        seed: only where the step draws random numbers.
    """
    parts = {name: part.model_dump() for name, part in (config or {}).items()}
    return digest({"step": step, "epoch": epoch, "inputs": list(inputs), "config": parts, "seed": seed})
