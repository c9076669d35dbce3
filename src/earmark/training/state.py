"""What a checkpoint holds of a trainer, taken and put back: all that the next step depends on, and curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from earmark.training.checkpoint import Checkpoint

if TYPE_CHECKING:
    from earmark.training.loop import Trainer


def collect(trainer: Trainer) -> Checkpoint:
    """The trainer's state after its last step."""
    tensors = {f"network/{name}": tensor for name, tensor in trainer.network.state_dict().items()}
    if trainer.average:
        tensors |= {f"average/{name}": tensor for name, tensor in trainer.average.network.state_dict().items()}
    tensors |= {f"optimiser/{name}": tensor for name, tensor in trainer.optimiser.state().items()}
    meta = {
        "step": trainer.step,
        "seconds": trainer.seconds,
        "precision": trainer.precision,
        "threads": torch.get_num_threads(),
        **trainer.watch.state(),
    }
    return Checkpoint(tensors, meta)


def restore(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """Bring a trainer to a state that :func:`collect` took of one with the same config."""

    def part(name: str) -> dict[str, Tensor]:
        prefix = f"{name}/"
        return {k.removeprefix(prefix): t for k, t in checkpoint.tensors.items() if k.startswith(prefix)}

    trainer.network.load_state_dict(part("network"))
    if trainer.average:
        trainer.average.network.load_state_dict(part("average"))
    trainer.optimiser.load(part("optimiser"))
    meta = checkpoint.meta
    trainer.step, trainer.seconds, trainer.precision = meta["step"], meta["seconds"], meta["precision"]
    # Sums are split among threads: another number of them would round otherwise.
    torch.set_num_threads(meta["threads"])
    trainer.watch.restore(meta)
