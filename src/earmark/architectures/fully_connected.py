"""Fully connected baseline: the patch as 6,144 numbers, dense layers with ReLU, no batch norm."""

from __future__ import annotations

from torch import nn

from earmark.architectures.base import BANDS, FRAMES, dense_relu, scaled


def fully_connected(width: float, dropout: float, depth: int, units: int) -> tuple[nn.Module, int]:
    """The trunk, ending in the last hidden layer, and that layer's size (1000 at width 1).

    11,231,000 weights and as many multiplies at 3,087 labels.
    """
    hidden = scaled(units, width)
    return nn.Sequential(nn.Flatten(), dense_relu(FRAMES * BANDS, hidden, depth, dropout)), hidden
