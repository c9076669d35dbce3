"""fp32 or bf16: measured for a moment where the config leaves it open."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import torch
from torch import nn

PROBE_BATCHES = (1, 4, 16, 32)
"""Sizes to measure with, as far as time allows: the larger, the more like a real step."""
PROBE_SECONDS = 2.0
"""For each precision; a single smallest step may take longer on a very slow machine."""
REPEATS = 2
NEEDED_GAIN = 1.1
"""bf16 must be this many times as fast: below, its coarser arithmetic is not worth it."""
HOPELESS = 3.0
"""A machine without hardware for bf16 takes this many times as long, or far more."""


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context in which a network computes in a precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16", cache_enabled=False)


def faster_precision(network: nn.Module, device: torch.device, step: Callable[[nn.Module, str, int], None]) -> str:
    """The precision in which ``step(network, precision, batch size)`` is faster, tried on a copy of the network.

    Batches grow until bf16 is settled to be hopeless or the time is up; the largest measured decides.
    """
    trial = copy.deepcopy(network)
    started, fp32, bf16 = time.perf_counter(), 0.0, 0.0
    for index, size in enumerate(PROBE_BATCHES):
        fp32, bf16 = (min(_timed(trial, p, size, device, step) for _ in range(REPEATS)) for p in ("fp32", "bf16"))
        if bf16 > HOPELESS * fp32 or index + 1 == len(PROBE_BATCHES):
            break
        growth = PROBE_BATCHES[index + 1] / size
        if time.perf_counter() - started + REPEATS * growth * (fp32 + bf16) > 2 * PROBE_SECONDS:
            break
    return "bf16" if bf16 * NEEDED_GAIN < fp32 else "fp32"


def _timed(
    network: nn.Module, precision: str, size: int, device: torch.device, step: Callable[[nn.Module, str, int], None]
) -> float:
    started = time.perf_counter()
    step(network, precision, size)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
