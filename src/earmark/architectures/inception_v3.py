"""Inception V3 for patches: the first four layers of the stem and the auxiliary head removed, average pool 10 × 6."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from earmark.architectures.layers import GlobalAveragePool, conv_bn_relu, scaled


def inception_v3(width: float, _dropout: float, stem: str) -> tuple[nn.Module, int]:
    """The trunk, ending in the average pool, and its size (2048 at width 1).

    Maps (frames × bands) with the stem of the text: 94×62, pool 46×30, 22×14, 10×6.
    28,039,760 weights and 5,437,980,672 multiplies at 3,087 labels; 4,745,645,392 multiplies with ``pool_first``.
    """
    c80, c192 = scaled(80, width), scaled(192, width)
    conv1, conv2, pool = _conv(1, c80, 1), _conv(c80, c192, 3), nn.MaxPool2d(3, 2)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if stem == "pool_first":
        layers.update(pool=pool, conv1=conv1, conv2=conv2)
    else:
        layers.update(conv1=conv1, conv2=conv2, pool=pool)
    channels = c192
    blocks = (
        ("a1", block_a, 32),
        ("a2", block_a, 64),
        ("a3", block_a, 64),
        ("b", block_b, 0),
        ("c1", block_c, 128),
        ("c2", block_c, 160),
        ("c3", block_c, 160),
        ("c4", block_c, 192),
        ("d", block_d, 0),
        ("e1", block_e, 0),
        ("e2", block_e, 0),
    )
    for name, make, size in blocks:
        layers[name], channels = make(channels, size, width)
    layers["average"] = GlobalAveragePool()
    return nn.Sequential(layers), channels


def block_a(channels: int, pool_size: int, width: float) -> tuple[nn.Module, int]:
    """1×1, 5×5 and double 3×3 branches; ``pool_size`` channels from the pooling branch."""
    s48, s64, s96, pooled = (scaled(size, width) for size in (48, 64, 96, pool_size))
    branches = Branches(
        _conv(channels, s64, 1),
        nn.Sequential(_conv(channels, s48, 1), _conv(s48, s64, 5, padding=2)),
        nn.Sequential(_conv(channels, s64, 1), _conv(s64, s96, 3, padding=1), _conv(s96, s96, 3, padding=1)),
        _pool_conv(channels, pooled),
    )
    return branches, s64 + s64 + s96 + pooled


def block_b(channels: int, _: int, width: float) -> tuple[nn.Module, int]:
    """Halves the map: 3×3 and double 3×3 with stride 2, and a max pool."""
    s64, s96, s384 = (scaled(size, width) for size in (64, 96, 384))
    branches = Branches(
        _conv(channels, s384, 3, stride=2),
        nn.Sequential(_conv(channels, s64, 1), _conv(s64, s96, 3, padding=1), _conv(s96, s96, 3, stride=2)),
        nn.MaxPool2d(3, 2),
    )
    return branches, s384 + s96 + channels


def block_c(channels: int, inner: int, width: float) -> tuple[nn.Module, int]:
    """7×7 convolutions as pairs of 1×7 and 7×1 with ``inner`` channels."""
    s192, c = scaled(192, width), scaled(inner, width)
    branches = Branches(
        _conv(channels, s192, 1),
        nn.Sequential(_conv(channels, c, 1), _wide(c, c, 7), _tall(c, s192, 7)),
        nn.Sequential(_conv(channels, c, 1), _tall(c, c, 7), _wide(c, c, 7), _tall(c, c, 7), _wide(c, s192, 7)),
        _pool_conv(channels, s192),
    )
    return branches, 4 * s192


def block_d(channels: int, _: int, width: float) -> tuple[nn.Module, int]:
    """Halves the map: 3×3 and 7×7 then 3×3, with stride 2, and a max pool."""
    s192, s320 = scaled(192, width), scaled(320, width)
    branches = Branches(
        nn.Sequential(_conv(channels, s192, 1), _conv(s192, s320, 3, stride=2)),
        nn.Sequential(
            _conv(channels, s192, 1), _wide(s192, s192, 7), _tall(s192, s192, 7), _conv(s192, s192, 3, stride=2)
        ),
        nn.MaxPool2d(3, 2),
    )
    return branches, s320 + s192 + channels


def block_e(channels: int, _: int, width: float) -> tuple[nn.Module, int]:
    """The widest block: 3×3 convolutions split into 1×3 and 3×1 side by side."""
    s192, s320, s384, s448 = (scaled(size, width) for size in (192, 320, 384, 448))
    branches = Branches(
        _conv(channels, s320, 1),
        nn.Sequential(_conv(channels, s384, 1), Branches(_wide(s384, s384, 3), _tall(s384, s384, 3))),
        nn.Sequential(
            _conv(channels, s448, 1),
            _conv(s448, s384, 3, padding=1),
            Branches(_wide(s384, s384, 3), _tall(s384, s384, 3)),
        ),
        _pool_conv(channels, s192),
    )
    return branches, s320 + 4 * s384 + s192


class Branches(nn.ModuleList):
    """Several modules on the same input, their outputs side by side as channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__(branches)

    def forward(self, x_BCTF: Tensor) -> Tensor:
        """Outputs of all branches, concatenated over channels."""
        return torch.cat([branch(x_BCTF) for branch in self], dim=1)


def _conv(
    in_channels: int,
    channels: int,
    kernel: int | tuple[int, int],
    *,
    stride: int = 1,
    padding: int | tuple[int, int] = 0,
) -> nn.Sequential:
    return conv_bn_relu(in_channels, channels, kernel, stride, padding, eps=1e-3)


def _wide(in_channels: int, channels: int, size: int) -> nn.Sequential:
    return _conv(in_channels, channels, (1, size), padding=(0, size // 2))


def _tall(in_channels: int, channels: int, size: int) -> nn.Sequential:
    return _conv(in_channels, channels, (size, 1), padding=(size // 2, 0))


def _pool_conv(in_channels: int, channels: int) -> nn.Sequential:
    """3×3 average pool and 1×1 convolution, batch norm, ReLU.

    The pool stands after the convolution: both are linear, so the result is the same, on a fraction of the channels.
    """
    convolution, norm, relu = _conv(in_channels, channels, 1)
    return nn.Sequential(convolution, nn.AvgPool2d(3, 1, 1, count_include_pad=False), norm, relu)
