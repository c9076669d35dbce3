"""Metric points, delivered in batches and none twice."""

from __future__ import annotations

import time
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


def now_ms() -> int:
    """Unix time as MLflow counts it."""
    return time.time_ns() // 1_000_000


def points_of(part: str, row: Mapping[str, float | None], time_ms: int) -> list[Point]:
    """A row of curves, ``{"step": 10, "loss": 0.3}`` of part ``train``, as points of ``train/loss``."""
    step = int(row["step"] or 0)
    values = {name: value for name, value in row.items() if name != "step" and value is not None}
    return [Point(f"{part}/{name}", float(value), step, time_ms) for name, value in values.items()]


def deliver(
    client: MlflowClient, run_id: str, points: Sequence[Point], known: dict[str, set[int]] | None
) -> Iterator[int]:
    """Write points in batches; yields after each batch how many are through.

    Args:
        client: MLflow.
        run_id: the run that gets them.
        points: in order of time.
        known: for a run that may have points already: the steps that each metric has, filled in here as metrics come
            up; points at such steps are left out. After a failure it must be a new, empty one. None where all are new.
    """
    from mlflow.entities import Metric

    for start in range(0, len(points), POINTS_PER_BATCH):
        batch = points[start : start + POINTS_PER_BATCH]
        if known is not None:
            for name in {point.name for point in batch} - known.keys():
                known[name] = {metric.step for metric in client.get_metric_history(run_id, name)}
        new = batch if known is None else [point for point in batch if _is_new(point, known)]
        if new:
            client.log_batch(run_id, metrics=[Metric(p.name, p.value, p.time_ms, p.step) for p in new])
        yield start + len(batch)


def _is_new(point: Point, known: dict[str, set[int]]) -> bool:
    steps = known[point.name]
    new = point.step not in steps
    steps.add(point.step)
    return new


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """A nested config as parameters by dotted names: ``{"train": {"steps": 3}}`` becomes ``{"train.steps": 3}``."""
    params: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            params |= flat(value, f"{prefix}{name}.")
        else:
            params[prefix + name] = value
    return params
