"""The steps of a run in what Kubeflow tells of its tasks: Argo's nodes, most of them its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
GROUP = re.compile(r"root|iteration(-\w+)*|(exit-handler|for-loop|condition|condition-branches)-\d+")
"""Tasks that hold others; they and the steps have drivers, and nothing else has."""
EPOCH_YEAR = 1970
"""The API tells times that are not known yet as the beginning of 1970."""


@dataclass(frozen=True)
class Step:
    """One execution of a step."""

    task: str
    """Kubeflow's id of it."""
    name: str
    state: str
    seconds: float | None
    """From its start to its end, with its pods' own start; None while it runs."""


def steps_of(run: Any) -> list[Step]:
    """The steps of a run as the API tells it, the first to start first; one that a loop repeats is there repeatedly."""
    details = (run.run_details.task_details if run.run_details else None) or []
    driven = {task.display_name.removesuffix("-driver") for task in details if task.display_name.endswith("-driver")}
    found = [task for task in details if task.display_name in driven and not GROUP.fullmatch(task.display_name)]
    # What was left out, since something before it failed, has an end and no state.
    began = [task for task in found if _known(task.start_time) and (task.state or not _known(task.end_time))]
    return [_step(task) for task in sorted(began, key=lambda task: task.start_time)]


def state_of(run: Any) -> str:
    """A run's state. Kubeflow ends one that was cancelled as FAILED; only its history tells."""
    states = [status.state for status in run.state_history or ()]
    if run.state == "FAILED" and states[-2:] == ["CANCELING", "FAILED"]:
        return "CANCELED"
    return str(run.state or "PENDING")


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """A duration, None where either end is not known."""
    return (end - start).total_seconds() if _known(start) and _known(end) and start and end else None


def told(steps: Sequence[Step]) -> str:
    """Where a run is, in a line."""
    running = [step.name for step in steps if step.state not in ENDED]
    done = sum(step.state == "SUCCEEDED" for step in steps)
    return f"{done} done" + (f", now {', '.join(running)}" if running else "")


def _step(task: Any) -> Step:
    state = task.state or "PENDING"
    seconds = seconds_between(task.start_time, task.end_time) if state in ENDED else None
    return Step(task.task_id, task.display_name.replace("-", "_"), state, seconds)


def _known(time: datetime | None) -> bool:
    return time is not None and time.year > EPOCH_YEAR
