"""What an outage of MLflow left of a run, delivered once MLflow is there again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

from earmark.tracking.context import RunContext
from earmark.tracking.outbox import Waiting, left_behind
from earmark.tracking.points import deliver
from earmark.tracking.runs import child_run, log_dataset, log_figures, log_params, log_tags, parent_run


def deliver_left(client: MlflowClient, uri: str, context: RunContext) -> None:
    """Deliver what processes of this run that are gone could not, none of it twice.

    Raises:
        mlflow.exceptions.MlflowException: MLflow is away again; what is left stays where it is.
    """
    for waiting in left_behind(uri, context):
        _deliver(client, waiting)


def _deliver(client: MlflowClient, waiting: Waiting) -> None:
    sender = waiting.sender
    parent = parent_run(client, sender.context, sender.dataset.digest)
    named = sender.key, sender.name, sender.dataset.digest
    run_id, _ = child_run(client, sender.context, parent, *named, sender.started_ms)
    log_params(client, run_id, sender.params)
    log_dataset(client, run_id, sender.dataset)
    if waiting.tags:
        log_tags(client, run_id, waiting.tags)
    for _ in deliver(client, run_id, waiting.points, {}):
        pass
    if waiting.end is not None:
        log_figures(client, run_id, waiting.end["metrics"])
        if waiting.end["cause"]:
            client.set_tag(run_id, "earmark.cause", waiting.end["cause"])
        if client.get_run(run_id).info.status == "RUNNING":
            client.set_terminated(run_id, waiting.end["status"])
