"""Fully connected baseline: the patch as numbers, dense layers with ReLU, no batch norm."""

from __future__ import annotations

from torch import Tensor, nn

from earmark.architectures.base import BANDS, FRAMES
from earmark.architectures.layers import dense_relu, scaled


def fully_connected(width: float, dropout: float, depth: int, units: int, context_frames: int) -> tuple[nn.Module, int]:
    """The trunk, ending in the last hidden layer, and that layer's size (1000 at width 1).

    With fewer ``context_frames`` than 96 the network sees the middle ones of each patch. That is training on patches
    of that length: a patch's place in its clip is drawn whatever its length is, weights see nothing of the other
    frames, and a clip's score is the mean over its patches either way. Only the first and last frames of a clip, less
    than half a second each, are never seen. With 20 it is the paper's model on patches of 200 ms and 64 bands; its
    context is the whole difference to the one on 96 frames.

    11,231,000 weights and as many multiplies at 3,087 labels; 6,367,000 with ``context_frames=20``.
    """
    hidden = scaled(units, width)
    return nn.Sequential(
        FlattenMiddle(context_frames), dense_relu(context_frames * BANDS, hidden, depth, dropout)
    ), hidden


class FlattenMiddle(nn.Module):
    """(B, 1, 96, 64) → (B, frames × 64): the middle frames of each patch as one row of numbers."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.first, self.end = (FRAMES - frames) // 2, (FRAMES - frames) // 2 + frames

    def forward(self, x_B1TF: Tensor) -> Tensor:
        """The middle frames, one after the other."""
        return x_B1TF[:, :, self.first : self.end].flatten(1)
