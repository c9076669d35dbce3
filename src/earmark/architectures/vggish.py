"""VGGish, the released relative of the paper's VGG: configuration A, four blocks, no batch norm, 128 values."""

from __future__ import annotations

import math
from collections import OrderedDict

from torch import Tensor, nn

from earmark.architectures.layers import Dense, Dropout, scaled

BLOCKS = ((64, 1), (128, 1), (256, 2), (512, 2))
"""Channels and 3 × 3 convolutions of each block."""
EMBEDDING = 128
"""Size of the embedding at any width, so that PCA and 8-bit files stay what they are elsewhere."""
STD = 0.01
"""Of initial weights at width 1, drawn from a normal distribution cut at two of these."""


def vggish(width: float, dropout: float) -> tuple[nn.Module, int]:
    """The trunk, ending in the second dense layer, and that layer's size (4096 at width 1).

    The embedding comes after it, as the bottleneck: 128 linear values, which the head passes through ReLU.
    Maps (frames × bands) of the blocks: 96×64, 48×32, 24×16, 12×8; 6×4 after the last pool.
    72,131,136 weights and 863,895,552 multiplies up to the embedding.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 1
    for number, (block_channels, convolutions) in enumerate(BLOCKS, start=1):
        block: list[nn.Module] = []
        for _ in range(convolutions):
            block += [BiasedConvolution(channels, scaled(block_channels, width)), nn.ReLU(inplace=True)]
            channels = scaled(block_channels, width)
        layers[f"block{number}"] = nn.Sequential(*block)
        layers[f"pool{number}"] = nn.MaxPool2d(2)
    units = scaled(4096, width)
    layers["flatten"] = FlattenChannelsLast()
    layers["dense"] = nn.Sequential(
        UndrawnDense(channels * 6 * 4, units),
        nn.ReLU(inplace=True),
        Dropout(dropout),
        UndrawnDense(units, units),
        nn.ReLU(inplace=True),
    )
    trunk = nn.Sequential(layers)
    draw(trunk, width)
    return trunk, units


class BiasedConvolution(nn.Conv2d):
    """3 × 3 convolution that keeps the map's size, with bias."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(in_channels, channels, 3, padding=1)

    def reset_parameters(self) -> None:
        """Left to :func:`draw`."""


class UndrawnDense(Dense):
    """Dense layer whose weights :func:`draw` gives."""

    def reset_parameters(self) -> None:
        """Left to :func:`draw`."""


class FlattenChannelsLast(nn.Module):
    """(B, C, T, F) → (B, T × F × C): the order in which the released dense weights expect the map."""

    def forward(self, x_BCTF: Tensor) -> Tensor:
        """The map in a row, channels fastest."""
        return x_BCTF.permute(0, 2, 3, 1).flatten(1)


def draw(network: nn.Module, width: float) -> None:
    """VGGish's initial weights: N(0, 0.01) cut at two deviations, biases at zero.

    A narrower network's are larger: each unit sums over fewer, and at 0.01 nothing of the patch would reach the end.
    """
    std = STD / math.sqrt(width)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert layer.bias is not None
            if not layer.weight.is_meta:
                nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)
            nn.init.zeros_(layer.bias)
