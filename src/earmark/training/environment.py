"""The machine and the versions that a training ran with, for its record; deterministic kernels where they are asked."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from earmark import __version__


def make_deterministic(wanted: bool) -> None:
    """Have torch take kernels that give the same bits every time, or refuse; before anything runs on a GPU."""
    if wanted:
        # cuBLAS is deterministic only with a workspace of its own, read when it starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted)
    torch.backends.cudnn.deterministic = wanted
    torch.backends.cudnn.benchmark = False


def environment(device: torch.device) -> dict[str, str]:
    """What the speed and the rounding of a run depend on outside its config, by name."""
    return {
        "earmark": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())
