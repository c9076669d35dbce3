"""Adam and AdamW by torch's fused kernels, their moments plain tensors by the names of the weights.

``torch.optim`` runs the same kernels, but its first step imports torch's compiler: 1.4 s at every start of a worker.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from earmark.config import TrainConfig

BETA_1, BETA_2 = 0.9, 0.999


class Optimiser:
    """Adam, or AdamW with decoupled weight decay that spares norms and biases (all that has one dimension).

    Args:
        network: whose weights are to be trained; they stay on their device.
        config: which optimiser, its epsilon and decay.
    """

    def __init__(self, network: nn.Module, config: TrainConfig) -> None:
        self.config = config
        self.weights = {name: w for name, w in network.named_parameters() if w.requires_grad}
        self.first = {name: torch.zeros_like(w, requires_grad=False) for name, w in self.weights.items()}
        self.second = {name: torch.zeros_like(w, requires_grad=False) for name, w in self.weights.items()}
        self.counts = {name: torch.zeros((), device=w.device) for name, w in self.weights.items()}
        self._matrices = [name for name, w in self.weights.items() if w.dim() > 1]
        self._vectors = [name for name, w in self.weights.items() if w.dim() <= 1]

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Change the weights by their gradients, and drop the gradients."""
        self._update(self._matrices, learning_rate, self.config.weight_decay)
        self._update(self._vectors, learning_rate, 0.0)
        for weight in self.weights.values():
            weight.grad = None

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, ``<moment>/<weight's name>``."""
        parts = {"first": self.first, "second": self.second, "count": self.counts}
        return {f"{part}/{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        """Put back what :meth:`state` gave; each moment stays laid out in memory as its weight is."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])

    def _update(self, names: list[str], learning_rate: float, weight_decay: float) -> None:
        gradients = [cast(Tensor, self.weights[name].grad) for name in names]
        counts = [self.counts[name] for name in names]
        torch._foreach_add_(counts, 1)
        decoupled = self.config.optimiser == "adamw"
        update = torch._fused_adamw_ if decoupled else torch._fused_adam_
        update(
            [self.weights[name] for name in names],
            gradients,
            [self.first[name] for name in names],
            [self.second[name] for name in names],
            [],
            counts,
            lr=learning_rate,
            beta1=BETA_1,
            beta2=BETA_2,
            weight_decay=weight_decay if decoupled else 0.0,
            eps=self.config.adam_epsilon,
            amsgrad=False,
            maximize=False,
        )
