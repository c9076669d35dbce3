"""Metric points, delivered in batches and none twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

POINTS_PER_BATCH = 1000  # MLflow refuses more


@dataclass(frozen=True)
class Point:
    """One value of a metric."""

    name: str
    value: float
    step: int
    time_ms: int


def deliver(
    client: MlflowClient, run_id: str, points: Sequence[Point], last_steps: dict[str, int] | None
) -> Iterator[int]:
    """Write points in batches; yields after each batch how many are through.

    Args:
        client: MLflow.
        run_id: the run that gets them.
        points: in order of time.
        last_steps: for a run that an earlier attempt wrote to: the last step that each metric has, filled in here as
            metrics come up; points up to it are there already and left out. None for a new run.
    """
    from mlflow.entities import Metric

    for start in range(0, len(points), POINTS_PER_BATCH):
        batch = points[start : start + POINTS_PER_BATCH]
        if last_steps is not None:
            for name in {point.name for point in batch} - last_steps.keys():
                history = client.get_metric_history(run_id, name)
                last_steps[name] = max((metric.step for metric in history), default=-1)
        new = [p for p in batch if last_steps is None or p.step > last_steps[p.name]]
        if new:
            client.log_batch(run_id, metrics=[Metric(p.name, p.value, p.time_ms, p.step) for p in new])
        yield start + len(batch)


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """A nested config as parameters by dotted names: ``{"train": {"steps": 3}}`` becomes ``{"train.steps": 3}``."""
    params: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            params |= flat(value, f"{prefix}{name}.")
        else:
            params[prefix + name] = value
    return params
