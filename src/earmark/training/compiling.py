"""Whether the network is compiled by torch's compiler: where it earns back what it costs."""

from __future__ import annotations

import torch
from torch import nn

from earmark.errors import UserError

EARNED_STEPS = 30_000
"""Compiling takes one to two minutes and gains two to four milliseconds of a GPU's step: less steps do not earn it. On
a CPU it gains 15 % at best, loses with two of the five networks, and takes as long: there only when it is asked for."""


def compiles(wanted: str, device: torch.device, steps: int) -> tuple[bool, str]:
    """Whether to compile, and why, in a line.

    Args:
        wanted: ``train.compile``: auto, on or off.
        device: where the network is trained.
        steps: of the run; 0 where they are not known.

    Raises:
        UserError: it was asked for and torch cannot compile here, with the cause.
    """
    if wanted == "off":
        return False, "not compiled: train.compile is off"
    if wanted == "auto" and device.type != "cuda":
        return False, "not compiled: on a CPU that rarely pays (train.compile: on has it done)"
    if wanted == "auto" and steps < EARNED_STEPS:
        return False, f"not compiled: {steps} steps do not earn what it takes, {EARNED_STEPS} do (train.compile)"
    cause = _cannot_compile(device)
    if cause is None:
        return True, "compiled by torch: the first steps take a minute or two"
    if wanted == "auto":
        return False, f"not compiled: torch cannot do it here ({cause})"
    needs = "Triton and a C compiler" if device.type == "cuda" else "a C++ compiler (g++)"
    raise UserError(
        f"train.compile is on and torch cannot compile on this machine ({cause}): it needs {needs}; install what is "
        "missing, or set train.compile to off"
    )


def _cannot_compile(device: torch.device) -> str | None:
    """Why a small network cannot be compiled here, forward and backward; None if it can."""
    network = nn.Sequential(nn.Linear(8, 8), nn.ReLU()).to(device)
    network.compile()
    try:
        network(torch.ones(2, 8, device=device)).sum().backward()
    except Exception as error:  # whatever the compiler stumbles over
        return f"{type(error).__name__}: {error}".splitlines()[0][:200]
    return None
