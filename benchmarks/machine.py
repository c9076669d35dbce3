"""What figures were measured on: they mean little without it."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
PACKAGES = ("numpy", "scipy", "torch", "torchaudio", "soundfile", "soxr", "miniaudio", "pyarrow", "scikit-learn", "kfp")
PEERS = ("librosa", "resampy", "torchmetrics")


def machine() -> dict[str, Any]:
    """CPU, memory, GPU, versions, commit, time, and how busy the machine was before anything was measured."""
    cpu = _cpu()
    return {
        "cpu": cpu.get("model name", platform.processor() or platform.machine()),
        "cores": cores(),
        "amx": has_amx(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": _gpus(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES + PEERS if (found := _version(name))},
        "commit": _commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": round(os.getloadavg()[0], 2),
    }


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_amx() -> bool:
    """Whether the CPU multiplies bfloat16 matrices in hardware."""
    return "amx_tile" in _cpu().get("flags", "").split()


def _cpu() -> dict[str, str]:
    """What Linux says of the first core; nothing elsewhere."""
    try:
        first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def _gpus() -> list[str]:
    import pynvml

    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
        return [str(pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(at))) for at in range(count)]
    except pynvml.NVMLError:
        return []


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
