"""An exponential moving average of weights and batch-norm statistics: what is validated and shipped."""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn


class Average:
    """A network in evaluation mode whose tensors follow another's.

    Args:
        network: to be followed.
        share: of the run's steps, over which its weights are averaged.
    """

    def __init__(self, network: nn.Module, share: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.share = share
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        self._floats = [(mine, theirs) for mine, theirs in pairs if mine.is_floating_point()]
        self._counts = [(mine, theirs) for mine, theirs in pairs if not mine.is_floating_point()]

    @torch.no_grad()
    def update(self, step: int, steps: int) -> None:
        """Follow the network after a step (0 to ``steps`` - 1), averaging over about ``share`` of all steps.

        Early on the average forgets faster, min(decay, (1 + step) / (10 + step)): else the first weights, which are
        noise, would weigh for 1 / (1 - decay) steps.
        """
        decay = min(1 - 1 / max(1.0, self.share * steps), (1 + step) / (10 + step))
        mine, theirs = ([cast(Tensor, t) for t in side] for side in zip(*self._floats, strict=True))
        torch._foreach_lerp_(mine, theirs, 1 - decay)
        for count, seen in self._counts:
            count.copy_(seen)
