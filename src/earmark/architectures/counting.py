"""Weights and multiplies of a network, counted by forward hooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from earmark.architectures.base import BANDS, FRAMES
from earmark.architectures.heads import Neighbours
from earmark.architectures.registry import create


@dataclass(frozen=True)
class LayerCount:
    """One convolution or dense layer, for one patch."""

    name: str
    output: tuple[int, ...]
    """(channels, frames, bands) of a convolution, (units,) of a dense layer."""
    weights: int
    multiplies: int


@dataclass(frozen=True)
class Counts:
    """Size of a network by the paper's convention."""

    weights: int
    """Elements of convolution and dense kernels, without biases and batch norm; of known clips' embeddings where
    neighbours vote."""
    multiplies: int
    """For one 96 × 64 patch: kernel elements × output positions, summed over convolution and dense layers."""
    parameters: int
    """All that is learned: weights, biases, batch norm."""
    layers: tuple[LayerCount, ...]
    """Each layer, in the order in which it runs."""


def count(
    network: str | nn.Module,
    n_labels: int | None = None,
    width: float = 1.0,
    bottleneck: int | None = None,
    **options: Any,
) -> Counts:
    """Counts of a network given by name (nothing is computed), or of one that exists (one patch runs through it).

        count("resnet50", n_labels=3087).weights  # 29_770_816

    Args:
        network: a name, with the arguments of :func:`create` after it, or a network that takes (1, 96, 64) patches.
        n_labels: number of outputs; needed with a name.
        width: as in :func:`create`.
        bottleneck: as in :func:`create`.
        options: as in :func:`create`.

    Raises:
        UserError: as :func:`create`.
    """
    if isinstance(network, nn.Module):
        return _count(network)
    if n_labels is None:
        raise TypeError("count(name, …) needs n_labels")
    with torch.device("meta"):
        return _count(create(network, n_labels, width, bottleneck, **options))


def _count(network: nn.Module) -> Counts:
    """Run one patch of zeros through the network where it is, and leave it as it was."""
    layers: list[LayerCount] = []
    kernels = {n: m for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear | Neighbours)}
    hooks = [module.register_forward_hook(_hook(name, layers)) for name, module in kernels.items()]
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        with torch.no_grad():
            network(torch.zeros(1, FRAMES, BANDS, device=next(network.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
        for module in training:
            module.training = True
    return Counts(
        weights=sum(layer.weights for layer in layers),
        multiplies=sum(layer.multiplies for layer in layers),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        layers=tuple(layers),
    )


def _hook(name: str, layers: list[LayerCount]) -> Any:
    def record(module: nn.Conv2d | nn.Linear | Neighbours, _: tuple[Tensor, ...], output: Tensor) -> None:
        weights = (module.embeddings if isinstance(module, Neighbours) else module.weight).numel()
        shape = tuple(output.shape[1:])
        positions = shape[1] * shape[2] if len(shape) == 3 else 1
        layers.append(LayerCount(name, shape, weights, weights * positions))

    return record
