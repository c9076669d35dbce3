"""What makes logits of embeddings: the paper's output layer, hidden layers before it, or votes of known clips."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earmark.architectures.layers import Output, dense_relu, scaled
from earmark.config import HeadConfig
from earmark.errors import UserError

LEAST_SHARE = 1e-4
"""A vote's share is taken as at least this, and at most 1 minus it, so that its logit stays finite."""
LEAST_WEIGHT = 1e-6
"""Of a vote: neighbours that are not alike at all count alike."""


class DenseHead(nn.Sequential):
    """Hidden layers with ReLU, (B, E) → (B, U), and the output layer, (B, U) → (B, C).

    Args:
        size: E, of the embedding.
        units: U, of each hidden layer.
        layers: how many hidden layers.
        n_labels: C.
        dropout: between the hidden layers.
    """

    def __init__(self, size: int, units: int, layers: int, n_labels: int, dropout: float) -> None:
        hidden = dense_relu(size, units, layers, dropout)
        super().__init__(OrderedDict[str, nn.Module](hidden=hidden, last=Output(units, n_labels)))


class Neighbours(nn.Module):
    """Votes of the known clips that are most like an embedding by cosine, each with its similarity as weight.

    Args:
        size: E, of the embedding.
        stored: S, the number of known clips.
        neighbours: how many of them vote; all where there are fewer.
        n_labels: C.

    Attributes:
        embeddings: of the known clips, (S, E), each of length 1.
        targets: their labels, (S, C), 0 or 1.
    """

    embeddings: Tensor
    targets: Tensor

    def __init__(self, size: int, stored: int, neighbours: int, n_labels: int) -> None:
        super().__init__()
        self.neighbours = min(neighbours, stored)
        self.register_buffer("embeddings", torch.zeros(stored, size))
        self.register_buffer("targets", torch.zeros(stored, n_labels))

    def forward(self, e_BE: Tensor) -> Tensor:
        """Logits (B, C) whose sigmoid is each label's share of the votes, 0.0001 to 0.9999."""
        cosine_BS = F.normalize(e_BE.float(), dim=1) @ self.embeddings.T
        weight_BK, at_BK = cosine_BS.topk(self.neighbours, dim=1)
        weight_BK1 = weight_BK.clamp(min=LEAST_WEIGHT).unsqueeze(2)
        share_BC = (weight_BK1 * self.targets[at_BK]).sum(dim=1) / weight_BK1.sum(dim=1)
        share_BC = share_BC.clamp(LEAST_SHARE, 1 - LEAST_SHARE)
        return share_BC.log() - (1 - share_BC).log()


def make_head(head: HeadConfig, size: int, n_labels: int, width: float, dropout: float) -> nn.Module:
    """The module from embeddings (B, E) to logits (B, C) that a config describes; its weights are fresh.

    Raises:
        UserError: neighbours without clips that it holds.
    """
    if head.kind == "linear":
        return Output(size, n_labels)
    if head.kind == "dense":
        return DenseHead(size, scaled(head.units, width), head.layers, n_labels, dropout)
    if not head.stored_clips:
        raise UserError(
            "architecture.head.kind is neighbours and no clips are stored in it: it is fitted on a trained network's "
            "embeddings, so set train.freeze_stages to all and name the network in train.init_from"
        )
    return Neighbours(size, head.stored_clips, head.neighbours, n_labels)
