"""fp32 or bf16: measured for a moment where the config leaves it open."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import torch
from torch import nn

PROBE_BATCH = 32
REPEATS = 3
NEEDED_GAIN = 1.1
"""bf16 must be this many times as fast: below, its coarser arithmetic is not worth it."""


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context in which a network computes in a precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16", cache_enabled=False)


def faster_precision(network: nn.Module, device: torch.device, step: Callable[[nn.Module, str, int], None]) -> str:
    """The precision in which ``step(network, precision, batch size)`` is faster, tried on a copy of the network.

    Takes the best of a few steps of each; without hardware for bf16 a single slow step settles it.
    """
    trial = copy.deepcopy(network)
    fp32 = min(_timed(trial, "fp32", device, step) for _ in range(REPEATS))
    bf16 = _timed(trial, "bf16", device, step)
    if bf16 < 3 * fp32:
        bf16 = min(_timed(trial, "bf16", device, step) for _ in range(REPEATS - 1))
    return "bf16" if bf16 * NEEDED_GAIN < fp32 else "fp32"


def _timed(
    network: nn.Module, precision: str, device: torch.device, step: Callable[[nn.Module, str, int], None]
) -> float:
    started = time.perf_counter()
    step(network, precision, PROBE_BATCH)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
