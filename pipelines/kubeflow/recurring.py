"""Recurring runs as Kubeflow's API keeps them: found, made, switched, deleted. It has no call that changes one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from earmark.errors import UserError
from earmark.pipelines.kubeflow.client import Kubeflow
from earmark.pipelines.kubeflow.steps import ENDED, state_of

ABOUT = "Made by `earmark schedule apply` from a file; what is changed here is undone by the next apply. (schedule: {})"
OURS = re.compile(r"\(schedule: ([a-z0-9-]+)\)$")
"""Marks what Earmark made, and tells its schedule: several may have one display name, and anybody may give it."""
PAGE = 100
LATEST = 20
"""More runs than a recurring run may have at once."""


@dataclass(frozen=True)
class Facts:
    """What makes a recurring run what it is, in words that a person can compare.

    Attributes:
        graph: name of the pinned version, which has the digest of the graph.
        cron: six fields.
        arguments: parameters of the graph.
        max_concurrency: runs at once.
        catchup: whether missed firings are made up for.
        kubeflow_experiment: under which its runs are shown.
        service_account: whom its pods run as.
    """

    graph: str
    cron: str
    arguments: Mapping[str, Any]
    max_concurrency: int
    catchup: bool
    kubeflow_experiment: str
    service_account: str


@dataclass(frozen=True)
class LastRun:
    """The latest run of a recurring run: Kubeflow's name of it, its state, when it began."""

    name: str
    state: str
    created: datetime


@dataclass(frozen=True)
class Recurring:
    """A recurring run there is.

    Attributes:
        id: Kubeflow's.
        title: its display name.
        schedule: name of the schedule that it was made for, None for those of others.
        facts: what it is.
        paused: whether it only waits.
        created: when it was made.
        last: name, state and beginning of its latest run, None where it has none or is of others.
        going: name of a run of it that has not ended, None where all have.
    """

    id: str
    title: str
    schedule: str | None
    facts: Facts
    paused: bool
    created: datetime
    last: LastRun | None = None
    going: str | None = None


@dataclass(frozen=True)
class Pinned:
    """Where a recurring run is made: ids of the graph's version and of the experiment."""

    pipeline: str
    version: str
    experiment: str


def list_recurring(kubeflow: Kubeflow) -> list[Recurring]:
    """Every recurring run there is, the oldest first."""
    ask = kubeflow.client._recurring_run_api.recurring_run_service_list_recurring_runs
    found: list[Any] = []
    token = ""
    while True:
        page = kubeflow.ask(ask, page_token=token, page_size=PAGE, **_owned(kubeflow))
        found += page.recurring_runs or []
        token = page.next_page_token or ""
        if not token:
            break
    experiments = _experiments(kubeflow)
    versions: dict[str, str] = {}
    return sorted((_read(kubeflow, run, experiments, versions) for run in found), key=lambda run: run.created)


def make_recurring(kubeflow: Kubeflow, schedule: str, facts: Facts, pinned: Pinned) -> str:
    """A new recurring run that does not fire yet; its id."""
    import kfp_server_api as api

    body = api.V2beta1RecurringRun(
        display_name=schedule,
        description=ABOUT.format(schedule),
        experiment_id=pinned.experiment,
        mode=api.RecurringRunMode.DISABLE,
        pipeline_version_reference=api.V2beta1PipelineVersionReference(
            pipeline_id=pinned.pipeline, pipeline_version_id=pinned.version
        ),
        runtime_config=api.V2beta1RuntimeConfig(parameters=dict(facts.arguments)),
        trigger=api.V2beta1Trigger(cron_schedule=api.V2beta1CronSchedule(cron=facts.cron)),
        max_concurrency=str(facts.max_concurrency),
        no_catchup=not facts.catchup,
        service_account=facts.service_account,
    )
    ask = kubeflow.client._recurring_run_api.recurring_run_service_create_recurring_run
    return str(kubeflow.ask(ask, recurring_run=body).recurring_run_id)


def switch_recurring(kubeflow: Kubeflow, id: str, *, on: bool) -> None:
    """Let it fire, or not."""
    service = kubeflow.client._recurring_run_api
    call = (
        service.recurring_run_service_enable_recurring_run
        if on
        else service.recurring_run_service_disable_recurring_run
    )
    kubeflow.ask(call, recurring_run_id=id)


def delete_recurring(kubeflow: Kubeflow, id: str) -> None:
    """Delete it, and with it the pods of its runs: what goes on is ended, and shown as running for ever."""
    kubeflow.ask(kubeflow.client._recurring_run_api.recurring_run_service_delete_recurring_run, recurring_run_id=id)


def latest_runs(kubeflow: Kubeflow, id: str) -> list[Any]:
    """The latest runs of a recurring run, the newest first."""
    ask = kubeflow.client._run_api.run_service_list_runs
    of = {"operation": "EQUALS", "key": "recurring_run_id", "stringValue": id}
    query = {"filter": json.dumps({"predicates": [of]}), "sort_by": "created_at desc", "page_size": LATEST}
    return kubeflow.ask(ask, **query, **_owned(kubeflow)).runs or []


def going(runs: Sequence[Any]) -> str | None:
    """Name of a run that has not ended."""
    return next((run.display_name for run in runs if state_of(run) not in ENDED), None)


def _owned(kubeflow: Kubeflow) -> dict[str, str]:
    return {"namespace": kubeflow.owner} if kubeflow.owner else {}


def _experiments(kubeflow: Kubeflow) -> dict[str, str]:
    """Names by id."""
    ask = kubeflow.client._experiment_api.experiment_service_list_experiments
    names: dict[str, str] = {}
    token = ""
    while True:
        page = kubeflow.ask(ask, page_token=token, page_size=PAGE, **_owned(kubeflow))
        names |= {each.experiment_id: each.display_name for each in page.experiments or []}
        token = page.next_page_token or ""
        if not token:
            return names


def _read(kubeflow: Kubeflow, run: Any, experiments: Mapping[str, str], versions: dict[str, str]) -> Recurring:
    ours = OURS.search(run.description or "")
    cron = run.trigger.cron_schedule if run.trigger else None
    facts = Facts(
        graph=_version(kubeflow, run.pipeline_version_reference, versions) if ours else "",
        cron=cron.cron if cron else "",
        arguments=(run.runtime_config.parameters if run.runtime_config else None) or {},
        max_concurrency=int(run.max_concurrency or 1),
        catchup=not run.no_catchup,
        kubeflow_experiment=experiments.get(run.experiment_id, ""),
        service_account=run.service_account or "",
    )
    runs = latest_runs(kubeflow, run.recurring_run_id) if ours else []
    return Recurring(
        id=run.recurring_run_id,
        title=run.display_name,
        schedule=ours[1] if ours else None,
        facts=facts,
        paused=run.mode != "ENABLE",
        created=run.created_at,
        last=LastRun(runs[0].display_name, state_of(runs[0]), runs[0].created_at) if runs else None,
        going=going(runs),
    )


def _version(kubeflow: Kubeflow, reference: Any, known: dict[str, str]) -> str:
    """Name of a pinned version; "" where it is no longer there, which no graph is called."""
    if reference is None or not reference.pipeline_version_id:
        return ""
    if reference.pipeline_version_id not in known:
        ask = kubeflow.client._pipelines_api.pipeline_service_get_pipeline_version
        try:
            found = kubeflow.ask(
                ask, pipeline_id=reference.pipeline_id, pipeline_version_id=reference.pipeline_version_id
            )
        except UserError:
            return ""
        known[reference.pipeline_version_id] = found.display_name
    return known[reference.pipeline_version_id]
