"""The layers that networks are built of, width scaling, initial weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Convolution(nn.Conv2d):
    """Convolution without bias, He-normal kernel drawn from torch's global generator."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__(in_channels, channels, kernel, stride, padding, bias=False)

    def reset_parameters(self) -> None:
        """Draw the kernel."""
        _normal(self.weight, math.sqrt(2 / self.weight[0].numel()))


class Dense(nn.Linear):
    """Linear layer, He-normal kernel drawn from torch's global generator, biases at zero."""

    def reset_parameters(self) -> None:
        """Draw the kernel."""
        _normal(self.weight, math.sqrt(2 / self.in_features))
        nn.init.zeros_(self.bias)


class Output(nn.Linear):
    """Linear layer whose logits start near zero."""

    def reset_parameters(self) -> None:
        """Draw the kernel."""
        _normal(self.weight, 0.01)
        nn.init.zeros_(self.bias)


class Dropout(nn.Dropout):
    """Dropout that does not depend on how a batch is split: the mask is drawn for the whole batch, then cut.

    Like ``nn.Dropout`` it draws from torch's global generator; seeded alike before each part of a batch, every part
    loses the units that it would have lost in the whole.
    """

    first_row = 0
    """Which row of the whole batch is the first of what comes in."""
    batch_size: int | None = None
    """Rows of the whole batch; None if what comes in is all of it."""

    def forward(self, x_BE: Tensor) -> Tensor:
        """Units (B, E) dropped with probability ``p`` and the others scaled by 1 / (1 - ``p``), in training only."""
        if not self.training or self.p == 0:
            return x_BE
        rows = len(x_BE)
        drawn_BE = torch.rand(self.batch_size or rows, *x_BE.shape[1:], device=x_BE.device)
        keep_BE = drawn_BE[self.first_row : self.first_row + rows] >= self.p
        return torch.where(keep_BE, x_BE / (1 - self.p), 0.0)


class GlobalAveragePool(nn.Module):
    """(B, E, T, F) → (B, E): the mean over the whole map."""

    def forward(self, x_BETF: Tensor) -> Tensor:
        """The mean over both axes of the map."""
        return x_BETF.mean((2, 3))


def scaled(units: int, width: float) -> int:
    """``units`` × ``width`` to the nearest multiple of 8, at least 8; exactly ``units`` at width 1."""
    return units if width == 1.0 else max(8, round(units * width / 8) * 8)


def conv_bn_relu(
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    eps: float = 1e-5,
) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU."""
    return nn.Sequential(
        Convolution(in_channels, out_channels, kernel, stride, padding),
        nn.BatchNorm2d(out_channels, eps=eps),
        nn.ReLU(inplace=True),
    )


def dense_relu(in_units: int, units: int, depth: int, dropout: float) -> nn.Sequential:
    """``depth`` dense layers with ReLU, and dropout between them; what follows the last is the head's."""
    layers: list[nn.Module] = []
    for index in range(depth):
        if index:
            layers.append(Dropout(dropout))
        layers += [Dense(units if index else in_units, units), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _normal(weight: Tensor, std: float) -> None:
    # On the meta device this would draw nothing, yet import torch's compiler: 1.5 s.
    if not weight.is_meta:
        nn.init.normal_(weight, std=std)
