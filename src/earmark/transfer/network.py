"""A network whose trunk may be missing: what a head is fitted in and scored by."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from earmark.architectures import Network, create, scores_of
from earmark.architectures.heads import make_head
from earmark.config import ArchitectureConfig


def new_network(architecture: ArchitectureConfig, size: int, n_labels: int, *, trunk: bool) -> Network:
    """A network with a fresh head on the CPU, in evaluation mode; without a trunk it is its head alone.

    Args:
        architecture: of the network; its head is what is fitted.
        size: E, of the embedding, where there is no trunk.
        n_labels: number of outputs.
        trunk: whether it has one; it stays on the meta device, without weights.
    """
    head, width, dropout = architecture.head, architecture.width, architecture.dropout
    if not trunk:
        return Network(nn.Identity(), size, n_labels, None, dropout, head, width).eval()
    with torch.device("meta"):
        network = create(
            architecture.name,
            n_labels,
            width,
            architecture.bottleneck,
            dropout,
            head,
            **architecture.options,
        )
    network.output = make_head(head, network.embedding_size, n_labels, width, dropout)
    return network.eval()


def network_of(weights: bytes, document: dict[str, Any]) -> Network:
    """The network of safetensors and ``model.json``, with or without a trunk, in evaluation mode on the CPU."""
    from safetensors.torch import load

    architecture = ArchitectureConfig.model_validate(document["architecture"])
    size, trunk = document["embedding_size"], document.get("trunk", True)
    network = new_network(architecture, size, len(document["labels"]), trunk=trunk)
    network.load_state_dict(load(weights), assign=True)
    return network


@torch.inference_mode()
def score_embeddings(network: Network, output: str, e_PE: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores (P, C) of embeddings (P, E)."""
    scores_PC: NDArray[np.float32] = scores_of(network.head(torch.tensor(e_PE)), output).numpy()
    return scores_PC
