"""What a run on the cluster needs, tried from where it is submitted, before anything is uploaded or started."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

from earmark.checking.lines import Check, Line, exit_code, run_checks, written
from earmark.errors import EarmarkError, UserError
from earmark.pipelines.cluster import STAGES, Cluster
from earmark.pipelines.kubeflow.client import connect, load_clients
from earmark.pipelines.kubeflow.kube import Unseen, open_kube
from earmark.pipelines.kubeflow.nodes import check_nodes
from earmark.pipelines.terminal import Terminal

PART = "kubeflow"
LIMIT_SECONDS = 10.0
UNTRAINED: Mapping[str, tuple[str, ...]] = {
    "evaluate": ("data", "features", "evaluate", "notify"),
    "embed": ("data", "features", "register", "notify"),
}
"""Stages of the pipelines that train nothing; the others have all."""


def check_cluster(cluster: Cluster, pipeline: str, terminal: Terminal, *, any_node: bool) -> None:
    """Try store, MLflow where it is named here, Kubeflow and nodes side by side, and print what is so.

    Raises:
        UserError: something is wrong that the user can mend.
        EarmarkError: all that is wrong is elsewhere.
    """
    from earmark.checking.mlflow import check_mlflow
    from earmark.checking.store import check_store

    began = time.monotonic()
    load_clients()
    stages = UNTRAINED.get(pipeline, STAGES)
    checks: dict[str, Check] = {
        "store": check_store,
        **({"mlflow": check_mlflow} if os.environ.get("MLFLOW_TRACKING_URI", "").startswith("http") else {}),
        PART: partial(check_kubeflow, cluster),
        "nodes": partial(check_nodes, cluster, stages, any_node=any_node),
    }
    # An MLflow that is away stops no run: figures wait for it there.
    lines = [_waits(line) for line in run_checks(checks, LIMIT_SECONDS)]
    for line in lines:
        terminal.console.print(written(line), markup=False)
    bad = [line for line in lines if line.mark == "bad"]
    if bad:
        code = exit_code(lines)
        told = f"nothing was uploaded or started ({len(bad)} wrong, {time.monotonic() - began:.0f} s)"
        raise (UserError if code == UserError.exit_code else EarmarkError)(told)


def _waits(line: Line) -> Line:
    away = line.part == "mlflow" and line.mark == "bad" and not line.mendable
    return replace(line, mark="note") if away else line


def check_kubeflow(cluster: Cluster) -> Iterator[Line]:
    """Lines about Kubeflow Pipelines and what the pods need in its namespace, as far as it can be seen."""
    kubeflow = connect(cluster)
    version = kubeflow.version or "of a version that it does not tell"
    yield Line("ok", PART, f"{kubeflow.endpoint} answers, Kubeflow Pipelines {version}")
    yield from _namespaced(cluster)


def _namespaced(cluster: Cluster) -> Iterator[Line]:
    """Whom the pods run as, and their Secrets; what may not be read is passed over (pods tell it when they start)."""
    secrets = {
        name for profile in cluster.profiles.values() for name, secret in profile.secrets.items() if not secret.optional
    }
    wanted = [f"serviceaccounts/{cluster.service_account}", *(f"secrets/{name}" for name in sorted(secrets))]
    try:
        kube = open_kube()
    except Unseen:
        return  # the line of the nodes tells it
    missing = []
    for path in wanted:
        with suppress(Unseen):
            if not kube.has(f"/api/v1/namespaces/{cluster.namespace}/{path}"):
                missing.append(path.replace("serviceaccounts/", "ServiceAccount ").replace("secrets/", "Secret "))
    if missing:
        hint = "apply the manifests for this namespace (kubectl apply -k), or correct the cluster file"
        yield Line("bad", PART, f"namespace {cluster.namespace} has no {', no '.join(missing)}", hint)
    else:
        yield Line(
            "ok", PART, f"namespace {cluster.namespace} has ServiceAccount {cluster.service_account} and Secrets"
        )
