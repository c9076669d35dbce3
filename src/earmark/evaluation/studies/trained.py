"""A variant that was trained and scored, as studies read it, and the cells that they share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from earmark.config import Config, Experiment
from earmark.evaluation.report import Estimate, Network, numbers
from earmark.evaluation.report.studied import Cell, Chart, Series
from earmark.store import Manifest

SCORES = ("auc", "d_prime", "map")
SCORE_COLUMNS = ("AUC", "d′", "mAP")


@dataclass(frozen=True)
class Trained:
    """A variant: its network, its whole config, and the facts of its training."""

    network: Network
    config: Config
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The variant's."""
        return self.network.variant

    @property
    def loss(self) -> float | None:
        """Mean training loss of the last twentieth of the steps."""
        points = [value for _, value in self.network.train_curve]
        last = points[-max(1, len(points) // 20) :]
        return sum(last) / len(last) if last else None

    @property
    def validation_map(self) -> list[float]:
        """Validation mAP at each point where it was scored."""
        return [value for _, value in self.network.validation_curves.get("map", ())]


def trained_of(
    experiment: Experiment, networks: Sequence[Network], checkpoints: Mapping[str, Manifest]
) -> list[Trained]:
    """The variants that finished, in the experiment's order."""
    by_name = {network.variant: network for network in networks}
    return [
        Trained(by_name[variant.name], experiment.variant(variant.name), checkpoints[variant.name].facts)
        for variant in experiment.variants
        if variant.name in by_name
    ]


def scores(network: Network) -> list[Cell]:
    """AUC, d-prime and mAP on the test clips with their intervals."""
    return [score(name, network.test[name]) for name in SCORES]


def score(name: str, estimate: Estimate) -> Cell:
    """One score with its interval."""
    ends = (estimate.low, estimate.high)
    known = all(end is not None and math.isfinite(end) for end in ends)
    return Cell(numbers.metric(name, estimate.value), numbers.interval(name, estimate) if known else "")


def published(auc: float | None, d_prime: float | None, mean_ap: float | None) -> list[str]:
    """The paper's scores of a row."""
    return [numbers.score(auc), numbers.score(d_prime), numbers.score(mean_ap)]


def curves(found: Sequence[Trained]) -> list[Chart]:
    """Training loss and validation mAP by step, a line a variant."""
    from earmark.evaluation.report.curves import smooth

    losses = [Series(t.name, [(s, v, None, None) for s, v in smooth(t.network.train_curve)]) for t in found]
    validated = [
        Series(t.name, [(s, v, None, None) for s, v in t.network.validation_curves.get("map", ())]) for t in found
    ]
    charts = [
        Chart("Training loss", "steps", "loss", [line for line in losses if line.points]),
        Chart("Validation mAP", "steps", "mAP", [line for line in validated if line.points]),
    ]
    return [chart for chart in charts if chart.series]


def by_score(name: str, points: Sequence[tuple[float, Estimate]]) -> Series:
    """A test score against something, with its intervals; what is not defined is left out."""
    return Series(name, [(x, e.value, e.low, e.high) for x, e in sorted(points, key=_first) if e.value is not None])


def _first(point: tuple[float, Estimate]) -> float:
    return point[0]
