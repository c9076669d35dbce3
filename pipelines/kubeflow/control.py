"""Runs that are on the cluster already: listed, ended, started again where they failed."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from earmark.errors import UserError
from earmark.pipelines.cluster import read_cluster
from earmark.pipelines.kubeflow.client import Kubeflow, connect
from earmark.pipelines.kubeflow.ending import end_of
from earmark.pipelines.kubeflow.steps import ENDED, seconds_between, state_of
from earmark.pipelines.kubeflow.submit import how_to_look
from earmark.pipelines.local import open_place
from earmark.pipelines.runs import networks_of
from earmark.pipelines.terminal import Terminal, counted, print_json, print_table
from earmark.store import Store, open_store
from earmark.store.runs import STOPPED, Run, end, find_run, list_runs, now, record

KUBEFLOW_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOST_RUNS = 100


def cancel(name: str, cluster_file: Path | None) -> None:
    """``earmark cancel``: end a run; what is done stays done."""
    kubeflow, store = _open(cluster_file)
    run, kubeflow_id = _found(store, name)
    state = _state(kubeflow, kubeflow_id)
    if state in ENDED or state == "CANCELING":
        raise UserError(f"run {name} is {state} already: there is nothing to cancel")
    kubeflow.ask(kubeflow.client._run_api.run_service_terminate_run, kubeflow_id)
    if run is not None:
        end(store, run.run, STOPPED)
    print(f"{name} is being cancelled; submitted again, it goes on from what is done")


def retry(name: str, cluster_file: Path | None, wait: bool, work: str, json: bool) -> None:
    """``earmark retry``: have Kubeflow run again what failed in a run that ended."""
    kubeflow, store = _open(cluster_file)
    run, kubeflow_id = _found(store, name)
    name = run.run if run else name
    state = _state(kubeflow, kubeflow_id)
    if state not in ("FAILED", "CANCELED"):
        hint = f"`earmark report {name}` shows it" if state == "SUCCEEDED" else f"`earmark cancel {name}` ends it"
        raise UserError(f"run {name} is {state}, there is nothing to start again: {hint}")
    kubeflow.ask(kubeflow.client._run_api.run_service_retry_run, kubeflow_id)
    if run is not None:
        run = replace(run, started=now(), finished=None, state="running", kubeflow=kubeflow_id)
        record(store, run)
    terminal = Terminal()
    terminal.console.print(f"run {name} goes on at what failed: {kubeflow.url(kubeflow_id)}", markup=False)
    if wait and run is not None:
        end_of(kubeflow, store, run, terminal, open_place(work), json)
    else:
        terminal.console.print(how_to_look(name), markup=False)


def show_cluster_runs(json: bool) -> None:
    """``earmark runs --cluster``: Kubeflow's runs beside our records, the newest first."""
    kubeflow, store = _open(None)
    query = {"namespace": kubeflow.owner} if kubeflow.owner else {}
    api = kubeflow.client._run_api
    answer = kubeflow.ask(api.run_service_list_runs, page_size=MOST_RUNS, sort_by="created_at desc", **query)
    records = {run.kubeflow: run for run in list_runs(store) if run.kubeflow}
    found = [_row(run, records.get(run.run_id)) for run in answer.runs or ()]
    if json:
        print_json(found)
        return
    columns = ("run", "state", "started", "minutes", "networks", "kubeflow")
    rows = [[row[name] for name in columns] for row in found]
    print_table(counted(len(rows), "run"), columns, rows, left=len(columns), wrapped=("networks",))


def _row(run: Any, recorded: Run | None) -> dict[str, str]:
    state = state_of(run)
    going = state not in ENDED
    seconds = seconds_between(run.created_at, datetime.now(UTC) if going else run.finished_at)
    return {
        "run": recorded.run if recorded else run.display_name,
        "state": state.lower(),
        "started": run.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "minutes": f"{(seconds or 0) / 60:.1f}",
        "networks": networks_of(recorded) if recorded else "",
        "data": recorded.data if recorded else "",
        "kubeflow": run.run_id,
    }


def _open(cluster_file: Path | None) -> tuple[Kubeflow, Store]:
    cluster = read_cluster(cluster_file)
    os.environ["EARMARK_STORE"] = cluster.store
    return connect(cluster), open_store(cluster.store)


def _found(store: Store, name: str) -> tuple[Run | None, str]:
    """A run's record, if it has one, and Kubeflow's id of it."""
    if KUBEFLOW_ID.fullmatch(name):
        return next((run for run in list_runs(store) if run.kubeflow == name), None), name
    run = find_run(store, name)
    if run.kubeflow is None:
        raise UserError(f"run {run.run} is none of the cluster's: it ran where `earmark run` was given")
    return run, run.kubeflow


def _state(kubeflow: Kubeflow, run: str) -> str:
    found = kubeflow.ask(kubeflow.client._run_api.run_service_get_run, run)
    return state_of(found)
