"""What a checkpoint holds of a trainer, taken and put back: all that the next step depends on, and curves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from earmark.training.checkpoint import Checkpoint

if TYPE_CHECKING:
    from earmark.training.loop import Trainer


@dataclass(frozen=True)
class Best:
    """The weights that scored best on the validation part so far, in host memory."""

    point: dict[str, Any]
    """``step``, ``map``, ``accuracy`` … as validation found them."""
    weights: dict[str, Tensor]
    """By the network's names."""


def better(point: dict[str, Any], network: nn.Module, best: Best | None) -> Best:
    """The better of a network just scored and the best so far: by mAP, then accuracy, then the later one."""

    def rank(of: dict[str, Any]) -> tuple[float, float]:
        return of["map"] or 0.0, of["accuracy"] or 0.0

    if best is not None and rank(point) < rank(best.point):
        return best
    return Best(point, _copied(network.state_dict()))


def collect(trainer: Trainer) -> Checkpoint:
    """The trainer's state after its last step, as copies in host memory.

    Raises:
        EarmarkError: a loss so far, a weight, or what the optimiser keeps of it is not finite.
    """
    trainer.watch.read()
    held = {f"network/{name}": tensor for name, tensor in trainer.network.state_dict().items()}
    if trainer.average:
        held |= {f"average/{name}": tensor for name, tensor in trainer.average.network.state_dict().items()}
    held |= {f"optimiser/{name}": tensor for name, tensor in trainer.optimiser.state().items()}
    if not _all_finite(held.values()):
        raise trainer.watch.not_finite(trainer.step, "some weights are not finite after")
    meta = {
        "step": trainer.step,
        "steps": trainer.steps,
        "seconds": trainer.seconds,
        "precision": trainer.precision,
        "compiled": trainer.compiled,
        "threads": torch.get_num_threads(),
        "processes": trainer.world.size,
        "best": trainer.best.point if trainer.best else None,
        **trainer.watch.state(),
    }
    best = {f"best/{name}": tensor for name, tensor in trainer.best.weights.items()} if trainer.best else {}
    return Checkpoint({**_copied(held), **best}, meta)


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
    trainer.step, trainer.steps = meta["step"], meta["steps"]
    trainer.seconds, trainer.precision = meta["seconds"], meta["precision"]
    trainer.compiled = meta["compiled"]
    trainer.best = Best(meta["best"], part("best")) if meta["best"] else None
    # Sums are split among threads: another number of them would round otherwise. So does another number of processes,
    # which have their own share of the cores.
    if meta.get("processes", 1) == trainer.world.size:
        torch.set_num_threads(meta["threads"])
    trainer.watch.restore(meta)


def _copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def _all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all values are finite; the device is waited for once."""
    # Extremes carry NaN along and take a tenth of the time of isfinite or of a norm's maximum.
    extremes = [extreme for t in tensors if t.is_floating_point() for extreme in torch.aminmax(t.detach())]
    return bool(torch.stack(extremes).isfinite().all())
