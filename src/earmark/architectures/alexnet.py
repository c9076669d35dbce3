"""AlexNet for patches: first stride (2, 1) instead of 4, batch norm instead of LRN, not split over devices."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from earmark.architectures.layers import conv_bn_relu, dense_relu, scaled


def alexnet(width: float, dropout: float, final_pool: str) -> tuple[nn.Module, int]:
    """The trunk, ending in the second dense layer, and that layer's size (4096 at width 1).

    Maps (frames × bands): conv1 43×54, pool1 21×26, pool2 10×12, last pool 2×2, or 4×5 with ``final_pool="3x3"``.
    37,338,464 weights and 767,639,744 multiplies at 3,087 labels.
    """
    c1, c2, c3, c4, c5 = (scaled(channels, width) for channels in (96, 256, 384, 384, 256))
    units = scaled(4096, width)
    # The paper's weight count leaves exactly 4 positions for the first dense layer: 5 × 6 tiles of the 10 × 12 map.
    pool5, positions = (nn.MaxPool2d((5, 6)), 2 * 2) if final_pool == "2x2" else (nn.MaxPool2d(3, 2), 4 * 5)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=conv_bn_relu(1, c1, 11, stride=(2, 1)),
        pool1=nn.MaxPool2d(3, 2),
        conv2=conv_bn_relu(c1, c2, 5, padding=2),
        pool2=nn.MaxPool2d(3, 2),
        conv3=conv_bn_relu(c2, c3, 3, padding=1),
        conv4=conv_bn_relu(c3, c4, 3, padding=1),
        conv5=conv_bn_relu(c4, c5, 3, padding=1),
        pool5=pool5,
        flatten=nn.Flatten(),
        dense=dense_relu(c5 * positions, units, 2, dropout),
    )
    return nn.Sequential(layers), units
