"""The processes that train one network together, as each of them sees it.

Every process makes the same global batch and augments it whole, so mixing partners and masks do not depend on how many
processes there are; each then computes its own rows, and DistributedDataParallel averages the gradients. What is not a
gradient (whether to stop, a checkpoint, scores of validation clips) goes over a gloo group on the CPU and never waits
for a GPU.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from earmark.training.processes import check_gpus

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others: one may write a large checkpoint to a slow store."""


class PeerLost(Exception):
    """Another process of this training is gone, which is never the cause of a failure."""


@dataclass(frozen=True)
class World:
    """One process among those that train together; alone, every exchange is the identity and costs nothing."""

    rank: int
    """This process's number from 0; process 0 alone writes and tells."""
    size: int
    """How many there are."""
    device: torch.device
    """Where this process computes."""
    _words: ProcessGroup | None = None
    """The gloo group."""

    def rows(self, batch_size: int) -> range:
        """The rows of the global batch that this process computes."""
        assert batch_size % self.size == 0
        share = batch_size // self.size
        return range(self.rank * share, (self.rank + 1) * share)

    def parallel(self, network: nn.Module) -> nn.Module:
        """The network to call in training: the same weights, its gradients averaged over the processes.

        On GPUs its batch norms take their statistics over all processes from now on.
        """
        if self.size == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel

        if self.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        with _peers(), warnings.catch_warnings():
            # The name that newer versions of torch prefer is unknown to older ones.
            warnings.simplefilter("ignore", FutureWarning)
            return DistributedDataParallel(
                network,
                device_ids=[self.device] if self.device.type == "cuda" else None,
                broadcast_buffers=False,
                gradient_as_bucket_view=True,
            )

    def mean(self, loss: Tensor) -> Tensor:
        """The mean of a number over the processes; the host does not wait for the device."""
        if self.size > 1:
            with _peers():
                torch.distributed.all_reduce(loss)
            loss /= self.size
        return loss

    def level(self, network: nn.Module) -> None:
        """Give all processes the mean of their batch norms' running statistics, which differ on the CPU."""
        if self.size == 1 or self.device.type == "cuda":
            return
        buffers = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
        if buffers:
            joined = torch.cat([buffer.flatten() for buffer in buffers])
            parts = torch.split(self.mean(joined), [buffer.numel() for buffer in buffers])
            torch._foreach_copy_([buffer.view(-1) for buffer in buffers], list(parts))

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        if self.size > 1:
            told = torch.tensor(int(flag))
            with _peers():
                torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX, group=self._words)
            return bool(told)
        return flag

    def sum(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The sum of an array over the processes, exact where all but one hold a zero."""
        if self.size > 1:
            with _peers():
                torch.distributed.all_reduce(torch.from_numpy(values), group=self._words)
        return values

    def share(self, data: bytes) -> bytes:
        """What process 0 holds, on every process."""
        if self.size == 1:
            return data
        size = torch.tensor(len(data))
        with _peers():
            torch.distributed.broadcast(size, 0, group=self._words)
            held = torch.frombuffer(bytearray(data or b"\0"), dtype=torch.uint8)
            held = held if self.rank == 0 else torch.empty(max(1, int(size)), dtype=torch.uint8)
            torch.distributed.broadcast(held, 0, group=self._words)
        return held.numpy().tobytes()[: int(size)]

    def leave(self) -> None:
        """Part from the others, once all have done their work."""
        if self.size > 1:
            torch.distributed.destroy_process_group()


def alone() -> World:
    """The world of a process that trains by itself, on the first GPU where there is one."""
    gpus = torch.cuda.device_count()
    check_gpus(1, gpus)
    return World(0, 1, torch.device("cuda", 0) if gpus else torch.device("cpu"))


def join() -> World:
    """The world that ``torchrun`` describes in the environment, once all its processes are there.

    Raises:
        UserError: there are fewer GPUs than processes, or than this step was promised.
    """
    import torch.distributed

    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    gpus = torch.cuda.device_count()
    check_gpus(size, gpus)
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if gpus else torch.device("cpu")
    if gpus:
        torch.cuda.set_device(device)
    with _peers():
        torch.distributed.init_process_group("nccl" if gpus else "gloo", timeout=PATIENCE)
        words = torch.distributed.new_group(backend="gloo", timeout=PATIENCE)
    assert isinstance(words, torch.distributed.ProcessGroup)
    return World(rank, size, device, words)


def without_exchange(network: nn.Module) -> AbstractContextManager[None]:
    """Gradients stay with this process while the context lasts: for all micro-batches of a batch but the last."""
    from torch.nn.parallel import DistributedDataParallel

    return network.no_sync() if isinstance(network, DistributedDataParallel) else nullcontext()


def lost_peer(error: BaseException) -> bool:
    """Whether an error only says that another process went away."""
    if isinstance(error, PeerLost):
        return True
    if not isinstance(error, RuntimeError):
        return False
    # Gloo's errors, when gradients are exchanged within the backward pass, have no type of their own.
    return "torch.distributed" in type(error).__module__ or "/gloo/" in str(error) or "NCCL" in str(error)


@contextmanager
def _peers() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise PeerLost(str(error)) from error
