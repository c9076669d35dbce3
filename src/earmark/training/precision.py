"""fp32 or bf16: measured for a moment where the config leaves it open."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import torch
from torch import nn

PROBE_BATCHES = (1, 4, 16, 32)
"""Sizes to measure with, as far as time allows: the larger, the more like a real step."""
PROBE_SECONDS = 4.0
"""For both precisions together, of all cores; the last steps may overrun it, on a very slow machine also the first."""
REPEATS = 3
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
    started = _clock(device)

    def both(size: int) -> tuple[float, float]:
        return _timed(trial, "fp32", size, device, step), _timed(trial, "bf16", size, device, step)

    def time_for(seconds: float) -> bool:
        return _clock(device) - started + seconds <= PROBE_SECONDS

    for size, larger in zip(PROBE_BATCHES, (*PROBE_BATCHES[1:], None), strict=True):
        fp32, bf16 = both(size)
        if bf16 > HOPELESS * fp32:  # or only its first step, which sets up kernels
            fp32, bf16 = map(min, zip((fp32, bf16), both(size), strict=True))
        # Part of a step's time does not grow with the batch: a half of what would be in proportion is expected.
        grows = larger is not None and time_for(larger / size / 2 * (fp32 + bf16))
        if bf16 > HOPELESS * fp32 or not grows:
            break
    for _ in range(REPEATS - 1):
        if time_for(fp32 + bf16):
            fp32, bf16 = map(min, zip((fp32, bf16), both(size), strict=True))
    return "bf16" if bf16 * NEEDED_GAIN < fp32 else "fp32"


def _timed(
    network: nn.Module, precision: str, size: int, device: torch.device, step: Callable[[nn.Module, str, int], None]
) -> float:
    started = _clock(device)
    step(network, precision, size)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return _clock(device) - started


def _clock(device: torch.device) -> float:
    """Seconds: on a CPU those that this process computed, so that other work on the cores does not decide."""
    return time.perf_counter() if device.type == "cuda" else time.process_time()
