"""What every network shares: features and head apart, the optional bottleneck, frozen stages."""

from __future__ import annotations

from typing import Literal, Self

import torch.nn.functional as F
from torch import Tensor, nn

from earmark.architectures.heads import DenseHead, make_head
from earmark.architectures.layers import Dense, Dropout, Output
from earmark.config import HeadConfig
from earmark.errors import UserError

LINEAR = HeadConfig()

FRAMES = 96
BANDS = 64


class Network(nn.Module):
    """A trunk that ends in an embedding, and a head that ends in one logit a label.

    Args:
        trunk: maps (B, 1, 96, 64) log-mel patches to (B, ``trunk_size``).
        trunk_size: size of what the trunk returns.
        n_labels: number of outputs C.
        bottleneck: size of an extra linear layer after the trunk (the paper's is 128). Its linear value is the
            embedding; a linear head applies ReLU to it before the output layer, others take it as it is.
        dropout: share of embedding units dropped before the head while training.
        head: what makes logits of embeddings.
        width: scales the units of a dense head.

    Attributes:
        embedding_size: size E of the embedding.
        output: the head's module, (B, E) → (B, C); the final linear layer itself where the head is linear.
        frozen: the names of the stages that are not trained.
    """

    def __init__(
        self,
        trunk: nn.Module,
        trunk_size: int,
        n_labels: int,
        bottleneck: int | None = None,
        dropout: float = 0.0,
        head: HeadConfig = LINEAR,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.bottleneck = Dense(trunk_size, bottleneck) if bottleneck else None
        self.embedding_size = bottleneck or trunk_size
        self.dropout = Dropout(dropout)
        self.output = make_head(head, self.embedding_size, n_labels, width, dropout)
        self.frozen: tuple[str, ...] = ()

    def stages(self) -> dict[str, nn.Module]:
        """The parts that hold weights by name, from the patch to the embedding; the head is none of them."""
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

    @property
    def last(self) -> Output | None:
        """The layer that gives the logits, None where neighbours vote."""
        last = self.output.last if isinstance(self.output, DenseHead) else self.output
        return last if isinstance(last, Output) else None

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

    def rectified(self, e_BE: Tensor) -> Tensor:
        """Embeddings (B, E) as the head takes them: a bottleneck's through ReLU where the head is linear."""
        return F.relu(e_BE) if self.bottleneck is not None and isinstance(self.output, Output) else e_BE

    def head(self, e_BE: Tensor) -> Tensor:
        """Logits (B, C) of embeddings (B, E)."""
        logits_BC: Tensor = self.output(self.dropout(self.rectified(e_BE)))
        return logits_BC

    def forward(self, x_BTF: Tensor) -> Tensor:
        """Logits (B, C) of log-mel patches; :func:`scores_of` makes them scores."""
        return self.head(self.features(x_BTF))


def scores_of(logits_PC: Tensor, output: str) -> Tensor:
    """Scores (P, C), 0 to 1 in float32, of a network trained with ``output`` sigmoid or softmax."""
    logits_PC = logits_PC.float()
    return logits_PC.softmax(dim=1) if output == "softmax" else logits_PC.sigmoid()


def tell_rows(network: nn.Module, first_row: int, batch_size: int) -> None:
    """Tell a network's dropout which rows of a batch come next: those from ``first_row`` of ``batch_size``."""
    for module in network.modules():
        if isinstance(module, Dropout):
            module.first_row, module.batch_size = first_row, batch_size
