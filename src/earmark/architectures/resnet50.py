"""ResNet-50 for patches: no stride in the first 7 × 7 convolution, average pool 6 × 4."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from earmark.architectures.layers import Convolution, GlobalAveragePool, conv_bn_relu, scaled

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Inner channels, blocks and stride of each stage; a stage's output has four times its inner channels."""


def resnet50(width: float, _dropout: float, version: str) -> tuple[nn.Module, int]:
    """The trunk, ending in the average pool, and its size (2048 at width 1).

    Maps (frames × bands): conv1 96×64, stages 48×32, 24×16, 12×8, 6×4.
    29,770,816 weights and 1,856,403,456 multiplies at 3,087 labels; 1,969,649,664 multiplies in version v1.5.
    """
    channels = scaled(64, width)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=conv_bn_relu(1, channels, 7, padding=3),
        pool1=nn.MaxPool2d(3, 2, 1),
    )
    for number, (inner, blocks, stage_stride) in enumerate(STAGES, start=2):
        stage = []
        for index in range(blocks):
            stride = 1 if index else stage_stride
            stage.append(Bottleneck(channels, scaled(inner, width), scaled(4 * inner, width), stride, version))
            channels = scaled(4 * inner, width)
        layers[f"stage{number}"] = nn.Sequential(*stage)
    layers["average"] = GlobalAveragePool()
    return nn.Sequential(layers), channels


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions around a shortcut, which is projected where the shape changes.

    Args:
        in_channels: channels that come in.
        inner: channels between.
        channels: channels that go out.
        stride: of the block, on the first 1×1 in ``version`` v1, on the 3×3 in v1.5.
        version: "v1" or "v1.5".
    """

    def __init__(self, in_channels: int, inner: int, channels: int, stride: int, version: str) -> None:
        super().__init__()
        first, second = (stride, 1) if version == "v1" else (1, stride)
        self.residual = nn.Sequential(
            conv_bn_relu(in_channels, inner, 1, first),
            conv_bn_relu(inner, inner, 3, second, 1),
            Convolution(inner, channels, 1),
            nn.BatchNorm2d(channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(Convolution(in_channels, channels, 1, stride), nn.BatchNorm2d(channels))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x_BCTF: Tensor) -> Tensor:
        """ReLU of residual plus shortcut."""
        y_BCTF: Tensor = self.relu(self.residual(x_BCTF) + self.shortcut(x_BCTF))
        return y_BCTF
