"""Checks of this machine: the work folder, room, GPUs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from earmark.checking.lines import Line, one_line
from earmark.checking.room import disk_line, why_not_writable
from earmark.environment import whole_number
from earmark.errors import UserError
from earmark.training.processes import GPUS, PROCESSES, visible_gpus

TORCH_SECONDS = 18.0
# A process of its own: a driver that hangs can be left behind.
TORCH = """
import json, warnings
warnings.simplefilter("ignore")
import torch, torchaudio
found = {"cuda": torch.version.cuda, "gpus": torch.cuda.device_count()}
if found["gpus"]:
    torch.ones(8, device="cuda").sum().item()
    found["names"] = [torch.cuda.get_device_name(i) for i in range(found["gpus"])]
print(json.dumps(found))
"""


def check_machine(work: Path) -> Iterator[Line]:
    """Lines about the work folder, room, and what trains."""
    yield from _check_work(work)
    yield from _check_torch()


def _check_work(work: Path) -> Iterator[Line]:
    reason = why_not_writable(work)
    if reason:
        yield Line("bad", "machine", f"{work} cannot be written ({reason})", "choose another place with --work")
        return
    yield Line("ok", "machine", f"{work} can be written")
    yield disk_line("machine", work)


def _check_torch() -> Iterator[Line]:
    command = [sys.executable, "-c", TORCH]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TORCH_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        what = f"torch did not start within {TORCH_SECONDS:g} s"
        if visible_gpus():
            yield Line("bad", "machine", what, "see whether the GPUs' driver hangs (nvidia-smi)", mendable=False)
        else:
            yield Line("note", "machine", what, "the machine is busy or its disk slow: check again")
        return
    if done.returncode != 0:
        told = one_line(RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no reason told"))
        hint = (
            "install torch and torchaudio anew, as constraints.txt pins them; with a GPU, see its driver (nvidia-smi)"
        )
        yield Line("bad", "machine", f"torch does not work: {told}", hint)
        return
    found = json.loads(done.stdout.splitlines()[-1])
    try:
        processes, promised = whole_number(PROCESSES, least=1), whole_number(GPUS, least=0)
    except UserError as error:
        yield Line("bad", "machine", one_line(error))
        return
    yield from judge_gpus(found, visible_gpus(), processes, promised)


def judge_gpus(found: dict[str, object], driver: int, processes: int | None, promised: int | None) -> Iterator[Line]:
    """Lines about GPUs.

    Args:
        found: what torch tells: ``cuda`` (the version that it is built for, or None), ``gpus``, ``names``.
        driver: GPUs that CUDA's driver shows.
        processes: ``EARMARK_PROCESSES``, where it is set.
        promised: ``EARMARK_GPUS``, where it is set.
    """
    gpus = int(str(found["gpus"]))
    if driver and not found["cuda"]:
        hint = "install a build of torch for CUDA (its index is named in constraints.txt)"
        yield Line("bad", "machine", f"{driver} GPUs, and torch is built without CUDA", hint)
    elif driver and not gpus:
        hint = "see `nvidia-smi`; the driver may be too old for this torch"
        yield Line("bad", "machine", f"{driver} GPUs, and torch sees none", hint)
    elif gpus:
        names = found["names"]
        assert isinstance(names, list)
        yield Line(
            "ok", "machine", f"{gpus} GPUs ({', '.join(sorted(set(names)))}), torch built for CUDA {found['cuda']}"
        )
    else:
        cores = os.cpu_count()
        yield Line("ok", "machine", f"no GPU: training runs on {cores} CPU cores (--preset quick is made for that)")
    if promised is not None and gpus < promised:
        hint = "check the node, its device plugin and CUDA_VISIBLE_DEVICES"
        yield Line("bad", "machine", f"{GPUS} promises {promised} GPUs and {gpus} can be used", hint)
    if processes is not None and 0 < gpus < processes:
        yield Line(
            "bad", "machine", f"{PROCESSES} is {processes} and there are {gpus} GPUs", f"set it to at most {gpus}"
        )
