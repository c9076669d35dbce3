"""Processes that end with the one that started them, however that ends; ``python -m`` it to start ``torchrun`` so."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1


def die_with_parent(supervisor: int, between: int = 0) -> None:
    """Have the kernel kill this process when its parent ends; end at once if it has already.

    Args:
        supervisor: id of the process for which this one works.
        between: how many processes (``torchrun``) there are between the two; each of them dies with its own parent.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = os.getppid()
    # Elsewhere than on Linux only a direct parent can be told.
    for _ in range(between if sys.platform == "linux" else 0):
        parent = _parent_of(parent)
    if parent != supervisor and (sys.platform == "linux" or between == 0):
        sys.exit(1)


def _parent_of(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(status.rpartition(")")[2].split()[1])


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    # The kernel's promise outlives exec.
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
