"""How many processes train one network, and whether this machine and the batch suit them. Imports no torch."""

from __future__ import annotations

import ctypes

from earmark.config import TrainConfig
from earmark.environment import whole_number
from earmark.errors import UserError

PROCESSES, GPUS = "EARMARK_PROCESSES", "EARMARK_GPUS"


def wanted_processes() -> int:
    """How many processes are to train together: ``EARMARK_PROCESSES``, else one a visible GPU, one without a GPU.

    Raises:
        UserError: the machine has fewer GPUs than that, or than ``EARMARK_GPUS`` promises this step.
    """
    gpus = visible_gpus()
    processes = whole_number(PROCESSES, least=1) or max(1, gpus)
    check_gpus(processes, gpus)
    return processes


def used_gpus() -> int:
    """How many GPUs training uses here: one a process, as far as there are any.

    Raises:
        UserError: as :func:`wanted_processes`.
    """
    return min(wanted_processes(), visible_gpus())


def visible_gpus() -> int:
    """How many GPUs CUDA's driver lets this process see (``CUDA_VISIBLE_DEVICES`` counts); 0 without a driver."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int()
    found = cuda.cuInit(0) == 0 and cuda.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if found else 0


def check_gpus(processes: int, gpus: int) -> None:
    """Whether ``gpus`` are as many as this step was promised (``EARMARK_GPUS``), and enough for its processes.

    Raises:
        UserError: they are not; with both numbers.
    """
    promised = whole_number(GPUS, least=0)
    if promised is not None and gpus < promised:
        raise UserError(
            f"this step was promised {promised} GPUs ({GPUS}) and sees {gpus}: check the node's GPUs, its driver, "
            f"CUDA_VISIBLE_DEVICES and that torch is built for CUDA, or ask for {gpus} GPUs"
        )
    if 0 < gpus < processes:
        raise UserError(
            f"{processes} processes ({PROCESSES}, --processes) need a GPU each and {gpus} can be seen: "
            f"ask for at most {gpus} processes, or give the step {processes} GPUs"
        )


def check_batch(train: TrainConfig, processes: int) -> None:
    """Whether a batch divides into equal parts, and those into micro-batches.

    Raises:
        UserError: it does not; with the nearest sizes that do.
    """
    size = train.batch_size
    if size % processes:
        nearest = f"{size - size % processes} or " * (size > processes) + f"{size - size % processes + processes}"
        raise UserError(
            f"train.batch_size is {size}, which {processes} processes cannot share equally: set train.batch_size to "
            f"{nearest}, or train with another number of processes ({PROCESSES}, --processes)"
        )
    share, micro = size // processes, train.micro_batch_size
    if micro is not None and micro < share and share % micro:
        raise UserError(
            f"train.micro_batch_size is {micro}, which does not divide the {share} patches of a batch that each of "
            f"{processes} processes takes: set train.micro_batch_size to {_divisor_below(share, micro)}"
        )


def micro_batch_size(train: TrainConfig, processes: int) -> int:
    """How many patches go through the network of each process at once."""
    return min(train.micro_batch_size or train.batch_size, train.batch_size // processes)


def memory_remedy(train: TrainConfig, processes: int) -> str:
    """What makes training need less memory: the next smaller micro-batch first, since it changes least."""
    held = micro_batch_size(train, processes)
    others = "train.batch_size or architecture.width"
    if held == 1:
        return f"lower {others}"
    smaller = _divisor_below(train.batch_size // processes, held)
    return f"set train.micro_batch_size to {smaller} ({held} patches were computed at once), or lower {others}"


def _divisor_below(whole: int, limit: int) -> int:
    """The largest divisor of ``whole`` that is less than ``limit``."""
    return next(divisor for divisor in range(limit - 1, 0, -1) if whole % divisor == 0)
