"""What every network shares: features and head apart, the optional bottleneck, width scaling, initial weights."""

from __future__ import annotations

import math
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earmark.errors import UserError

FRAMES = 96
BANDS = 64


class Network(nn.Module):
    """A trunk that ends in an embedding, and a head that ends in one logit a label.

    Args:
        trunk: maps (B, 1, 96, 64) log-mel patches to (B, ``trunk_size``).
        trunk_size: size of what the trunk returns.
        n_labels: number of outputs C.
        bottleneck: size of an extra linear layer after the trunk (the paper's is 128). Its linear value is the
            embedding; the head applies ReLU to it before the output layer.
        dropout: share of embedding units dropped before the output layer while training.

    Attributes:
        embedding_size: size E of the embedding.
        output: the final linear layer, (E → C).
        frozen: the names of the stages that are not trained.
    """

    def __init__(
        self, trunk: nn.Module, trunk_size: int, n_labels: int, bottleneck: int | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.bottleneck = Dense(trunk_size, bottleneck) if bottleneck else None
        self.embedding_size = bottleneck or trunk_size
        self.dropout = Dropout(dropout)
        self.output = Output(self.embedding_size, n_labels)
        self.frozen: tuple[str, ...] = ()

    def stages(self) -> dict[str, nn.Module]:
        """The parts that hold weights by name, from the patch to the embedding; the output layer is none of them."""
        held = {name: m for name, m in self.trunk.named_children() if next(m.parameters(), None) is not None}
        if len(held) == 1:  # the fully connected network: each of its layers
            layers = (m for m in self.trunk.modules() if isinstance(m, Dense))
            held = {f"dense{number}": layer for number, layer in enumerate(layers, start=1)}
        return held | ({"bottleneck": self.bottleneck} if self.bottleneck is not None else {})

    def freeze(self, frozen: int | Literal["all"]) -> None:
        """Take the first stages out of training: their weights get no gradient, their batch norms no new statistics.

        Raises:
            UserError: there are fewer stages.
        """
        stages = self.stages()
        count = len(stages) if frozen == "all" else frozen
        if count > len(stages):
            raise UserError(
                f"train.freeze_stages is {count} but this network has {len(stages)} stages ({', '.join(stages)}): "
                f"set it to at most {len(stages)}"
            )
        self.frozen = tuple(stages)[:count]
        for name in self.frozen:
            stages[name].requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation mode; frozen stages stay in the latter."""
        super().train(mode)
        stages = self.stages() if self.frozen else {}
        for name in self.frozen:
            stages[name].eval()
        return self

    def features(self, x_BTF: Tensor) -> Tensor:
        """Embeddings (B, E) of log-mel patches of shape (B, 96, 64) or (B, 1, 96, 64).

        Raises:
            ValueError: for another shape.
        """
        x_B1TF = x_BTF.unsqueeze(1) if x_BTF.dim() == 3 else x_BTF
        if x_B1TF.dim() != 4 or x_B1TF.shape[1:] != (1, FRAMES, BANDS):
            raise ValueError(f"patches must be (batch, {FRAMES} frames, {BANDS} mel bands), got {tuple(x_BTF.shape)}")
        e_BE: Tensor = self.trunk(x_B1TF)
        return e_BE if self.bottleneck is None else self.bottleneck(e_BE)

    def head(self, e_BE: Tensor) -> Tensor:
        """Logits (B, C) of embeddings (B, E)."""
        if self.bottleneck is not None:
            e_BE = F.relu(e_BE)
        logits_BC: Tensor = self.output(self.dropout(e_BE))
        return logits_BC

    def forward(self, x_BTF: Tensor) -> Tensor:
        """Logits (B, C) of log-mel patches; :func:`scores_of` makes them scores."""
        return self.head(self.features(x_BTF))


def scores_of(logits_PC: Tensor, output: str) -> Tensor:
    """Scores (P, C), 0 to 1 in float32, of a network trained with ``output`` sigmoid or softmax."""
    logits_PC = logits_PC.float()
    return logits_PC.softmax(dim=1) if output == "softmax" else logits_PC.sigmoid()


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


def tell_rows(network: nn.Module, first_row: int, batch_size: int) -> None:
    """Tell a network's dropout which rows of a batch come next: those from ``first_row`` of ``batch_size``."""
    for module in network.modules():
        if isinstance(module, Dropout):
            module.first_row, module.batch_size = first_row, batch_size


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
