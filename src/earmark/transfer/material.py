"""What a head is fitted on, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from earmark.architectures import Network
from earmark.catalog import Dataset
from earmark.config import Config
from earmark.metrics import one_best_accuracy, score
from earmark.training.objective import Objective
from earmark.transfer.network import new_network, score_embeddings
from earmark.transfer.stored import Embeddings, Windows

LEAST_SPREAD = 1e-3
"""A value's spread is taken as at least this share of the widest one's: one that hardly moves is not blown up."""

Log = Callable[[str, Mapping[str, float | None]], None]


@dataclass(frozen=True)
class Fitted:
    """A fitted head.

    Attributes:
        network: its ``output`` is the head.
        steps: of the optimiser; 1 where nothing is optimised.
        seconds: that fitting took.
        patches_seen: windows that the steps took, repeats counted.
        curves: ``train`` and ``validation``, as ``curves.json`` has them.
        selected: the validation point of what is shipped, None without a validation part.
    """

    network: Network
    steps: int
    seconds: float
    patches_seen: int
    curves: dict[str, list[dict[str, Any]]]
    selected: dict[str, Any] | None


@dataclass(frozen=True)
class Material:
    """Embeddings and targets of the training and the validation clips, and a network with a fresh head.

    Attributes:
        config: of the variant, with the number of stored clips.
        network: only its head has weights.
        objective: the loss.
        train: windows of the training clips.
        train_y_NC: their clips' targets.
        validation: windows of the validation clips; there may be none.
        validation_y_NC: their clips' targets.
        single_label: whether every clip has exactly one label.
    """

    config: Config
    network: Network
    objective: Objective
    train: Windows
    train_y_NC: NDArray[np.float32]
    validation: Windows
    validation_y_NC: NDArray[np.float32]
    single_label: bool

    @property
    def output(self) -> str:
        """``sigmoid`` or ``softmax``: votes are shares already, which is what their sigmoid gives back."""
        return "sigmoid" if self.config.architecture.head.kind == "neighbours" else self.objective.output

    @staticmethod
    def gather(opened: Dataset, embeddings: Embeddings, config: Config, *, trunk: bool) -> Material:
        """Read the embeddings of a dataset's training and validation clips into memory."""
        train = embeddings.windows(opened.clips("train"))
        y_NC = opened.targets("train")
        architecture = config.architecture
        if architecture.head.kind == "neighbours":
            head = architecture.head.model_copy(update={"stored_clips": len(y_NC)})
            architecture = architecture.model_copy(update={"head": head})
            config = config.model_copy(update={"architecture": architecture})
        windows_N = np.bincount(train.clip_P, minlength=len(y_NC))
        share_C = windows_N @ y_NC.astype(np.float64) / max(1, len(train.clip_P))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = new_network(architecture, embeddings.size, len(opened.labels), trunk=trunk)
        return Material(
            config,
            network,
            Objective(config.train, opened.single_label, share_C),
            train,
            y_NC,
            embeddings.windows(opened.clips("validation")),
            opened.targets("validation"),
            opened.single_label,
        )

    def spread(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and standard deviation of the training windows' values as the head takes them, (E,) each."""
        x_PE = self.rectified(self.train.e_PE)
        std_E = x_PE.std(axis=0, dtype=np.float64)
        widest = float(std_E.max(initial=0.0)) or 1.0
        mean_E = x_PE.mean(axis=0, dtype=np.float64)
        return mean_E.astype(np.float32), np.maximum(std_E, LEAST_SPREAD * widest).astype(np.float32)

    def rectified(self, e_PE: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings (P, E) as the head's module takes them."""
        x_PE: NDArray[np.float32] = self.network.rectified(torch.from_numpy(e_PE)).numpy()
        return x_PE

    def validate(self, network: Network) -> dict[str, float | None] | None:
        """Figures of clip scores of the validation part, None where there is none."""
        if not len(self.validation_y_NC):
            return None
        scores_NC = self.validation.mean(score_embeddings(network, self.output, self.validation.e_PE))
        found = score(self.validation_y_NC, scores_NC)
        accuracy = one_best_accuracy(self.validation_y_NC, scores_NC) if self.single_label else None
        return {"accuracy": accuracy, "map": _known(found.map), "auc": _known(found.auc)}


def better(point: Mapping[str, Any], best: Mapping[str, Any] | None) -> bool:
    """Whether a validation point beats the best so far: by mAP, then accuracy, then the later one."""

    def order(of: Mapping[str, Any]) -> tuple[float, float]:
        return of["map"] or 0.0, of["accuracy"] or 0.0

    return best is None or order(point) >= order(best)


def _known(value: float) -> float | None:
    """None for a mean over no class."""
    return float(value) if math.isfinite(value) else None
