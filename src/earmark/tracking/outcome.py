"""How a pipeline run ended, written in one go by a step that needs MLflow anyway; mends what an outage left out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

from earmark.tracking.connection import tracking_uri
from earmark.tracking.context import DatasetFacts, RunContext
from earmark.tracking.left import deliver_left
from earmark.tracking.points import deliver, now_ms, points_of
from earmark.tracking.runs import child_run, find_runs, is_ours, log_dataset, log_figures, log_output, log_params
from earmark.tracking.tracker import Status


@dataclass(frozen=True)
class Outcome:
    """How one network of a pipeline run ended."""

    name: str
    """The variant's name."""
    key: str
    """The result key of its training; empty where training failed before it had one."""
    cause: str = ""
    """Why it failed, in a line; empty where it did not."""
    params: Mapping[str, object] = field(default_factory=dict)
    """Flat, by dotted names."""
    curves: Mapping[str, Sequence[Mapping[str, float | None]]] = field(default_factory=dict)
    """Rows with ``step`` and values, by part: ``train``, ``validation``."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Final figures by name, such as ``test/map``."""

    @property
    def status(self) -> Status:
        """The status of its run."""
        return "FAILED" if self.cause else "FINISHED"


def open_outcome(
    client: MlflowClient, context: RunContext, parent: str, dataset: DatasetFacts, outcome: Outcome
) -> str:
    """The id of a network's run, with parameters, dataset and whole curves: those of a run that trained under this
    parent, or written here where training was not repeated or MLflow was away.
    """
    deliver_left(client, tracking_uri(), context)
    run_id = _failed_run(client, parent, outcome.name) if not outcome.key else None
    if run_id is None:
        key = outcome.key or f"failed-{outcome.name}"
        run_id, _ = child_run(client, context, parent, key, outcome.name, dataset.digest)
    log_params(client, run_id, outcome.params)
    log_dataset(client, run_id, dataset)
    now = now_ms()
    points = [point for part, rows in outcome.curves.items() for row in rows for point in points_of(part, row, now)]
    for _ in deliver(client, run_id, points, {}):
        pass
    return run_id


def close_outcome(client: MlflowClient, run_id: str, outcome: Outcome, model_id: str | None = None) -> None:
    """Write a network's final figures (also as those of its logged model), the cause of a failure, and its status."""
    log_figures(client, run_id, outcome.figures, model_id)
    if model_id is not None:
        log_output(client, run_id, model_id)
    if outcome.cause:
        client.set_tag(run_id, "earmark.cause", outcome.cause)
    _end(client, run_id, outcome.status)


def close_parent(
    client: MlflowClient,
    parent: str,
    status: Status,
    dataset: DatasetFacts,
    *,
    tags: Mapping[str, str],
    figures: Mapping[str, float],
    report: bytes,
    note: str,
) -> None:
    """End the pipeline run's own run. Of a run that Kubeflow's plugin made, description and status stay the plugin's.

    Args:
        client: MLflow.
        parent: id of its run.
        status: how it ended.
        dataset: what it ran on.
        tags: what is worth finding it by.
        figures: what is worth comparing runs by.
        report: the page, kept as the run's artifact ``report.html``.
        note: Markdown shown as the run's description.
    """
    log_dataset(client, parent, dataset)
    log_figures(client, parent, figures)
    sha256 = hashlib.sha256(report).hexdigest()
    if client.get_run(parent).data.tags.get("earmark.report") != sha256:
        client.log_text(parent, report.decode(), "report.html")
    ours = is_ours(client, parent)
    for name, value in {**tags, "earmark.report": sha256, **({"mlflow.note.content": note} if ours else {})}.items():
        client.set_tag(parent, name, value)
    if ours:
        _end(client, parent, status)


def _failed_run(client: MlflowClient, parent: str, variant: str) -> str | None:
    """The run in which a variant's training failed, if it came so far as to have one."""
    tags = {"mlflow.parentRunId": parent, "earmark.variant": variant}
    runs = find_runs(client, client.get_run(parent).info.experiment_id, tags)
    return runs[-1].info.run_id if runs else None


def _end(client: MlflowClient, run_id: str, status: Status) -> None:
    """Set a status that the run does not have yet: setting it again would move its end."""
    if client.get_run(run_id).info.status != status:
        client.set_terminated(run_id, status)
