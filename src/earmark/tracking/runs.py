"""MLflow's experiments and runs found or created by tags, so that a retry or a race makes no second one."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

from earmark import __version__
from earmark.errors import UserError
from earmark.tracking.connection import artifact_location, lost_race
from earmark.tracking.context import DatasetFacts, RunContext
from earmark.tracking.points import POINTS_PER_BATCH, now_ms

# MLflow's pages then open on runs and charts, not on traces of language models
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
SETTLED = "earmark.settled"
KFP_RUN_ID = "EARMARK_KFP_RUN_ID"
"""The variable that names the Kubeflow run; Kubeflow's MLflow plugin tags the run that it makes with the same id."""
KFP_TAG = "kfp.pipeline_run_id"
DATASET = "earmark"
UNSETTLED_FOR_SECONDS = 5.0
POLL_SECONDS = 0.05


def experiment(client: MlflowClient, name: str) -> str:
    """The id of the experiment of this name, created if need be; of several creators at once one wins."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            place = artifact_location(client.tracking_uri)
            return str(client.create_experiment(name, artifact_location=place, tags=EXPERIMENT_TAGS))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)
    if found is None or found.lifecycle_stage == "deleted":
        raise UserError(f"the MLflow experiment {name!r} was deleted: restore it (mlflow experiments restore)")
    return str(found.experiment_id)


def parent_run(client: MlflowClient, context: RunContext, dataset: str) -> str:
    """The id of the run that stands for the pipeline run: that of Kubeflow's own MLflow plugin where there is one, else
    found or created by run id and digest of the data.
    """
    if (theirs := _kubeflow_run(client)) is not None:
        return theirs
    identity = {"earmark.run": context.run, "earmark.dataset": context.data or dataset, "earmark.level": "pipeline"}
    tags = {"earmark.pipeline": context.pipeline, "mlflow.source.name": f"earmark {context.pipeline}"}
    return claim(client, experiment(client, context.experiment), context.run, identity, tags)[0]


def child_run(
    client: MlflowClient,
    context: RunContext,
    parent: str,
    key: str,
    name: str,
    dataset: str,
    started_ms: int | None = None,
) -> tuple[str, bool]:
    """The id of a network's run under its parent, found or created by its key, and whether it is new.

    ``started_ms`` is when it began (Unix time), where that was before now.
    """
    identity = {"mlflow.parentRunId": parent, "earmark.key": key}
    tags = {
        "earmark.run": context.run,
        "earmark.dataset": dataset,
        "earmark.variant": name,
        "earmark.level": "network",
        "earmark.version": __version__,
        "mlflow.source.name": f"earmark {context.pipeline}",
    }
    # MLflow shows a run under its parent only within one experiment, and the plugin chooses its own
    return claim(client, client.get_run(parent).info.experiment_id, name, identity, tags, started_ms)


def is_ours(client: MlflowClient, parent: str) -> bool:
    """Whether a parent is Earmark's own: one that Kubeflow's plugin made keeps its name, description and status."""
    return "earmark.level" in client.get_run(parent).data.tags


def _kubeflow_run(client: MlflowClient) -> str | None:
    """The run that Kubeflow's plugin made for the Kubeflow run that the environment names."""
    told = os.environ.get(KFP_RUN_ID)
    if not told:
        return None
    everywhere = [each.experiment_id for each in client.search_experiments()]
    found = client.search_runs(everywhere, filter_string=f"tags.`{KFP_TAG}` = '{told}'")
    # its runs of single tasks may carry the tag too
    tops = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    return min(tops, key=lambda run: run.info.start_time).info.run_id if tops else None


def claim(
    client: MlflowClient,
    experiment_id: str,
    name: str,
    identity: Mapping[str, str],
    tags: Mapping[str, str],
    started_ms: int | None = None,
) -> tuple[str, bool]:
    """The one run with these identity tags, and whether this call made it.

    MLflow keeps no run unique, so creators agree among themselves. A run counts once it is settled, and its creator
    settles it only when it sees no other: of two that both saw nobody else, one was looking before the other had
    created its run, and the other then saw it. Whoever is not alone takes its run back, except the oldest, which
    waits for the rest to do so. A run whose creator died before settling it is adopted after a while.
    """
    mine: str | None = None
    until = time.monotonic() + UNSETTLED_FOR_SECONDS
    while True:
        runs = find_runs(client, experiment_id, identity)
        settled = [run for run in runs if SETTLED in run.data.tags]
        if settled or time.monotonic() > until:
            chosen = (settled or runs)[0].info.run_id if runs else None
            if mine is not None and mine != chosen:
                client.delete_run(mine)
            if chosen is not None:
                if not settled:
                    client.set_tag(chosen, SETTLED, "true")
                return chosen, chosen == mine
        if not runs:
            made = client.create_run(experiment_id, started_ms, {**tags, **identity}, run_name=name)
            mine = made.info.run_id
            continue
        ids = [run.info.run_id for run in runs]
        if ids == [mine]:
            client.set_tag(ids[0], SETTLED, "true")
            return ids[0], True
        if mine is not None and ids[0] != mine:
            client.delete_run(mine)
            mine = None
        time.sleep(POLL_SECONDS * random.uniform(0.5, 1.5))


def find_runs(client: MlflowClient, experiment_id: str, tags: Mapping[str, str]) -> list[Run]:
    """Runs that carry all these tags, oldest first."""
    wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    found = list(client.search_runs([experiment_id], filter_string=wanted))
    return sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))


def log_params(client: MlflowClient, run_id: str, params: Mapping[str, object]) -> None:
    """Write the parameters that the run does not have: MLflow refuses to change one, and they are the same anyway."""
    from mlflow.entities import Param

    known = client.get_run(run_id).data.params
    new = [Param(name, str(value)) for name, value in params.items() if name not in known]
    for start in range(0, len(new), 100):
        client.log_batch(run_id, params=new[start : start + 100])


def log_tags(client: MlflowClient, run_id: str, tags: Mapping[str, str]) -> None:
    """Write tags in one request; a tag of the same name is replaced."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])


def log_figures(client: MlflowClient, run_id: str, figures: Mapping[str, float], model_id: str | None = None) -> None:
    """Write final figures, which have no step, where the run does not show them yet.

    Args:
        client: MLflow.
        run_id: the run that gets them.
        figures: by name.
        model_id: the logged model whose figures they are too.
    """
    from mlflow.entities import Metric

    now = now_ms()
    data = client.get_run(run_id).data
    # a model's figures name the dataset that they are of
    of = {"model_id": model_id, "dataset_name": DATASET, "dataset_digest": data.tags.get("earmark.dataset")}
    tied = of if model_id is not None else {}
    new = [
        Metric(name, float(value), now, 0, **tied)
        for name, value in figures.items()
        if data.metrics.get(name) != float(value)
    ]
    for start in range(0, len(new), POINTS_PER_BATCH):
        client.log_batch(run_id, metrics=new[start : start + POINTS_PER_BATCH])


def log_output(client: MlflowClient, run_id: str, model_id: str) -> None:
    """Name a logged model as what came out of the run."""
    from mlflow.entities import LoggedModelOutput
    from mlflow.exceptions import MlflowException

    outputs = client.get_run(run_id).outputs
    if outputs is not None and model_id in {output.model_id for output in outputs.model_outputs}:
        return
    try:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    except MlflowException as error:
        if not lost_race(error):  # which says that another attempt just wrote it
            raise


def log_dataset(client: MlflowClient, run_id: str, dataset: DatasetFacts) -> None:
    """Name the dataset as the run's input."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    entity = Dataset(
        name=DATASET,
        digest=dataset.digest,
        source_type="uri",
        source=json.dumps({"uri": dataset.source}),
        profile=json.dumps(dataset.facts),
    )
    client.log_inputs(run_id, datasets=[DatasetInput(entity, [InputTag("mlflow.data.context", "training")])])
