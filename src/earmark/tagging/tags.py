"""Which labels are told of a clip or a window, and with which score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from earmark.evaluation import Model

THRESHOLD = 0.5
"""Of a model that was never calibrated."""


@dataclass(frozen=True)
class Tag:
    """A label of a clip or a window."""

    label: str
    score: float
    """Calibrated, where the model has a calibration."""
    raw_score: float
    """The network's own."""
    threshold: float
    """From where on the label counts as heard."""

    @property
    def heard(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.score >= self.threshold


@dataclass(frozen=True)
class Choice:
    """Which labels are told: those that reach their threshold, unless something else is asked for.

    Attributes:
        threshold: one for all labels in place of the model's.
        top: the labels of the highest scores, so many, whether they reach a threshold or not.
        all: every label.
    """

    threshold: float | None = None
    top: int | None = None
    all: bool = False

    def of(self, tags: list[Tag]) -> list[Tag]:
        """What is told of these, the highest score first."""
        ranked = sorted(tags, key=lambda tag: -tag.score)
        if self.all:
            return ranked
        return ranked[: self.top] if self.top is not None else [tag for tag in ranked if tag.heard]


@dataclass(frozen=True)
class Scale:
    """A model's labels, its calibration where it has one, and its thresholds."""

    model: Model
    threshold: float | None = None

    def tags(self, raw_C: NDArray[np.float32]) -> list[Tag]:
        """Every label with its score, in the model's order."""
        calibration = getattr(self.model, "calibration", None)
        scores_C, thresholds_C = raw_C, np.full(len(raw_C), THRESHOLD)
        if calibration is not None:
            scores_C, thresholds_C = calibration.apply(raw_C[None])[0], calibration.thresholds_C
        if self.threshold is not None:
            thresholds_C = np.full(len(raw_C), self.threshold)
        columns = (scores_C.tolist(), raw_C.tolist(), np.asarray(thresholds_C).tolist())
        return [Tag(label, *values) for label, *values in zip(self.model.labels, *columns, strict=True)]
