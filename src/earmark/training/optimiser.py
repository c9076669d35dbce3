"""Adam and AdamW, fused, and their moments as plain tensors by the names of the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from earmark.config import TrainConfig

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def make_optimiser(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimiser of a run; weight decay spares norms and biases (all that has one dimension)."""
    matrices = [p for p in network.parameters() if p.dim() > 1]
    vectors = [p for p in network.parameters() if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    if config.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=config.learning_rate, eps=config.adam_epsilon, fused=True)
    plain = [{"params": group["params"]} for group in groups]
    return torch.optim.Adam(plain, lr=config.learning_rate, eps=config.adam_epsilon, fused=True)


def moments(network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state, ``<moment>/<weight's name>``; empty before the first step."""
    return {
        f"{moment}/{name}": optimiser.state[weight][moment]
        for name, weight in network.named_parameters()
        if weight in optimiser.state
        for moment in MOMENTS
    }


def load_moments(network: nn.Module, optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what :func:`moments` gave, laid out in memory as the weights are."""
    for name, weight in network.named_parameters():
        if f"step/{name}" not in tensors:
            continue
        state = {moment: torch.empty_like(weight, requires_grad=False) for moment in MOMENTS[:2]}
        for moment, tensor in state.items():
            tensor.copy_(tensors[f"{moment}/{name}"])
        optimiser.state[weight] = {**state, "step": tensors[f"step/{name}"].to(weight.device)}
