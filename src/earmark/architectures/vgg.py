"""VGG, configuration E (16 convolutions, 3 dense layers): only batch norm and the output layer differ."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from earmark.architectures.layers import conv_bn_relu, dense_relu, scaled

BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""Channels and 3 × 3 convolutions of each block."""


def vgg(width: float, dropout: float) -> tuple[nn.Module, int]:
    """The trunk, ending in the second dense layer, and that layer's size (4096 at width 1).

    Maps (frames × bands) of the blocks: 96×64, 48×32, 24×16, 12×8, 6×4; 3×2 after the last pool.
    62,022,208 weights and 2,423,713,792 multiplies at 3,087 labels.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 1
    for number, (block_channels, convolutions) in enumerate(BLOCKS, start=1):
        block = []
        for _ in range(convolutions):
            block.append(conv_bn_relu(channels, scaled(block_channels, width), 3, padding=1))
            channels = scaled(block_channels, width)
        layers[f"block{number}"] = nn.Sequential(*block)
        layers[f"pool{number}"] = nn.MaxPool2d(2)
    units = scaled(4096, width)
    layers["flatten"] = nn.Flatten()
    layers["dense"] = dense_relu(channels * 3 * 2, units, 2, dropout)
    return nn.Sequential(layers), units
