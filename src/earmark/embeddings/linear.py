"""The embedding of a patch: what the network's last inner layer says before its activation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.features import PATCH_FRAMES
from earmark.features import dequantise as dequantise_frames

if TYPE_CHECKING:
    from torch import Tensor

    from earmark.architectures import Network
    from earmark.evaluation import Model

PATCHES_AT_ONCE = 128


def embed_windows(model: Model, frames_TF: NDArray[Any], starts_P: NDArray[np.int64]) -> NDArray[np.float32]:
    """Embeddings (P, E) of the patches that start at those stored frames, in float32.

    Linear values, as in the published embeddings: a dense layer's output before its ReLU. Networks that end in an
    average over their maps have no such layer, their embedding is the average.
    """
    import torch

    found = [np.empty((0, model.network.embedding_size), np.float32)]
    with torch.inference_mode():
        for first in range(0, len(starts_P), PATCHES_AT_ONCE):
            rows_PT = starts_P[first : first + PATCHES_AT_ONCE, None] + np.arange(PATCH_FRAMES)
            x_PTF = torch.from_numpy(dequantise_frames(frames_TF[rows_PT], model.features)).to(model.device)
            found.append(linear_values(model.network, x_PTF).float().cpu().numpy())
    return np.concatenate(found)


def linear_values(network: Network, x_PTF: Tensor) -> Tensor:
    """Embeddings (P, E) of log-mel patches (P, 96, 64) before the last activation, where there is one."""
    from torch import nn

    last = list(network.trunk.modules())[-1]
    if network.bottleneck is not None or not isinstance(last, nn.ReLU):
        return network.features(x_PTF)
    seen: list[Tensor] = []
    # A copy: the ReLU works in place.
    hook = last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    try:
        network.features(x_PTF)
    finally:
        hook.remove()
    return seen[0]
