"""``earmark submit``: what was asked, checked, brought to the cluster, started there, and followed if wanted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.errors import UserError
from earmark.pipelines.cluster import Cluster, read_cluster
from earmark.pipelines.kubeflow.client import Kubeflow, connect, experiment_id, named, pinned_version
from earmark.pipelines.kubeflow.ending import end_of
from earmark.pipelines.kubeflow.preflight import check_cluster
from earmark.pipelines.kubeflow.steps import ENDED
from earmark.pipelines.kubeflow.uploading import upload
from earmark.pipelines.local import open_place
from earmark.pipelines.terminal import Terminal, print_json
from earmark.store import Store, open_store
from earmark.store.runs import Run, now, read_run, record

if TYPE_CHECKING:
    from earmark.pipelines.requests import Request

Ask = Callable[..., "Request"]


@dataclass(frozen=True)
class Options:
    """How a run is submitted.

    Attributes:
        cluster: the cluster file, None for the one that ``EARMARK_CLUSTER`` names or the built-in cluster.
        experiment: Kubeflow's experiment.
        wait: follow the run to its end.
        any_node: nodes are made on demand, so that none of today's must be able to take a pod.
        work: folder for the report.
        json: whether one JSON document is wanted.
    """

    cluster: Path | None
    experiment: str
    wait: bool
    any_node: bool
    work: str
    json: bool


def submit(ask: Ask, options: Options, *, by_registry: bool = False) -> None:
    """Start a run on the cluster, or find the one that goes on already; follow it if wanted.

    Args:
        ask: makes the request; takes another ``data`` than the local folder that was named, once it is uploaded.
        options: see there.
        by_registry: the request depends on what MLflow's registry holds.

    Raises:
        UserError: what cannot be, or what the checks found, before anything is uploaded or started.
    """
    cluster = read_cluster(options.cluster)
    os.environ["EARMARK_STORE"] = cluster.store
    if by_registry:
        need_registry()
    terminal = Terminal()
    request = ask()
    check_model(request)
    check_cluster(cluster, request.pipeline, terminal, any_node=options.any_node)
    kubeflow, store = connect(cluster), open_store(cluster.store)
    if "://" not in request.data:
        request = ask(data=upload(request.data, cluster.sounds, terminal))
    terminal.console.print(request.told)
    run = _active(kubeflow, store, request)
    if run is not None:
        terminal.console.print(f"it goes on already, since {run.started}")
    else:
        run = _start(kubeflow, store, request, cluster, options.experiment, terminal)
    assert run.kubeflow is not None
    if options.wait:
        terminal.console.print(f"{kubeflow.url(run.kubeflow)} (Ctrl-C leaves it going)")
        end_of(kubeflow, store, run, terminal, open_place(options.work), options.json)
    elif options.json:
        print_json({"run": run.run, "kubeflow": run.kubeflow, "url": kubeflow.url(run.kubeflow)})
    else:
        terminal.console.print(how_to_look(run.run), markup=False)
        print(kubeflow.url(run.kubeflow))


def how_to_look(run: str) -> str:
    """What can be done with a run that goes on."""
    return (
        f"look: earmark runs --cluster; earmark report {run}\n"
        "follow: the same command again with --wait\n"
        f"end it: earmark cancel {run}"
    )


def need_registry() -> None:
    """Refuse to look a model up where no server is named: this machine's own registry is not the cluster's."""
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        raise UserError(
            "the model is looked up in the cluster's MLflow: set MLFLOW_TRACKING_URI to its address from here"
        )


def check_model(request: Request) -> None:
    """Refuse a model that only this machine has."""
    model = request.arguments.get("model", "")
    if model.startswith("/"):
        raise UserError(f"the cluster cannot read {model}: give a registered model, as in earmark or earmark/3")


def _active(kubeflow: Kubeflow, store: Store, request: Request) -> Run | None:
    """The run of the same request that has not ended, if there is one."""
    api = kubeflow.client._run_api
    query = {"filter": named(request.run), "sort_by": "created_at desc", "page_size": 20}
    if kubeflow.owner:
        query["namespace"] = kubeflow.owner
    found = kubeflow.ask(api.run_service_list_runs, **query).runs or []
    going = next((run for run in found if run.state not in ENDED), None)
    if going is None:
        return None
    recorded = read_run(store, request.run) or _recorded(request, going.run_id)
    return replace(recorded, kubeflow=going.run_id)


def _start(
    kubeflow: Kubeflow, store: Store, request: Request, cluster: Cluster, experiment: str, terminal: Terminal
) -> Run:
    """Start what was asked, by exactly the graph that this version compiles, and record it."""
    import kfp_server_api as api

    from earmark.pipelines.graphs import compile_graph

    before = read_run(store, request.run)
    if before is not None and before.state == "succeeded":
        terminal.console.print(
            f"it succeeded at {before.finished}, see `earmark report {request.run}`; started again, it repeats nothing "
            "that is done and finds what is new in its data",
            markup=False,
        )
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / f"{request.pipeline}.yaml"
        compile_graph(request.pipeline, cluster, package)
        pipeline_id, version_id = pinned_version(kubeflow, request.pipeline, package)
    body = api.V2beta1Run(
        display_name=request.run,
        experiment_id=experiment_id(kubeflow, experiment),
        pipeline_version_reference=api.V2beta1PipelineVersionReference(
            pipeline_id=pipeline_id, pipeline_version_id=version_id
        ),
        runtime_config=api.V2beta1RuntimeConfig(parameters={**request.arguments, "run": request.run}),
        service_account=cluster.service_account,
    )
    started: Any = kubeflow.ask(kubeflow.client._run_api.run_service_create_run, run=body)
    run = _recorded(request, started.run_id)
    record(store, run)
    return run


def _recorded(request: Request, kubeflow: str) -> Run:
    what = (request.run, request.pipeline, request.data, request.model, request.preset, request.variants)
    return Run(*what, started=now(), kubeflow=kubeflow)
