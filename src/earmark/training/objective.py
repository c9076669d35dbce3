"""What training minimises: sigmoid or softmax cross-entropy of targets that may be soft."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from earmark.config import TrainConfig
from earmark.errors import UserError

LOWEST_SHARE = 1e-4
"""A label's share of the data is taken as at least this (and at most 1 minus it), so that logarithms stay finite."""


class Objective:
    """The loss of one training, and what goes with it.

    Args:
        config: which loss, label smoothing.
        single_label: whether every clip has exactly one label.
        share_C: of each label, the share of the patches that carry it.

    Attributes:
        output: ``sigmoid`` or ``softmax``, what turns the network's logits into scores.

    Raises:
        UserError: softmax is asked for where clips have several labels, or none.
    """

    def __init__(self, config: TrainConfig, single_label: bool, share_C: npt.NDArray[np.float64]) -> None:
        if config.loss == "softmax" and not single_label:
            raise UserError(
                "config train.loss is softmax and there are clips that do not have exactly one label: "
                "set train.loss to sigmoid (or auto)"
            )
        self.output = ("softmax" if single_label else "sigmoid") if config.loss == "auto" else config.loss
        self._smoothing = config.label_smoothing
        self._share_C = np.clip(share_C, LOWEST_SHARE, 1 - LOWEST_SHARE)

    def loss(self, logits_BC: Tensor, y_BC: Tensor) -> Tensor:
        """Mean cross-entropy over the batch (and, with sigmoids, over the labels), in float32."""
        logits_BC = logits_BC.float()
        y_BC = self.smooth(y_BC)
        if self.output == "softmax":
            return F.cross_entropy(logits_BC, y_BC)
        return F.binary_cross_entropy_with_logits(logits_BC, y_BC)

    def smooth(self, y_BC: Tensor) -> Tensor:
        """Targets moved towards what knows nothing."""
        if not self._smoothing:
            return y_BC
        nothing = 1 / y_BC.shape[1] if self.output == "softmax" else 0.5
        return y_BC * (1 - self._smoothing) + nothing * self._smoothing

    def prior_logits(self) -> Tensor:
        """Output biases (C,) that make a network of zero weights say the labels' shares."""
        share_C = torch.from_numpy(self._share_C)
        return share_C.log() if self.output == "softmax" else share_C.logit()

    def chance(self) -> float:
        """The loss of saying the targets' means, whatever the patch: what a network that learns nothing stays at.

        Cross-entropy is linear in the targets, so it is the entropy of their means. Smoothing moves these as it moves
        each target; mixing does not move them, since every example is as likely a partner as any other.
        """
        share_C = self.smooth(torch.from_numpy(self._share_C)[None])[0]
        entropy_C = -share_C * share_C.log()
        if self.output == "softmax":
            return float(entropy_C.sum())
        return float((entropy_C - (1 - share_C) * (1 - share_C).log()).mean())

    def least(self) -> float:
        """The loss that no network gets below: the entropy of a smoothed target, 0 without smoothing."""
        y_C = self.smooth(torch.eye(1, len(self._share_C), dtype=torch.float64))[0]
        entropy_C = -torch.xlogy(y_C, y_C)
        if self.output == "softmax":
            return float(entropy_C.sum())
        return float((entropy_C - torch.xlogy(1 - y_C, 1 - y_C)).mean())
