"""``earmark check``: what a run needs, tried at once from here; each line says what is so, and the remedy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from earmark.checking.lines import Check, exit_code, run_checks, written
from earmark.pipelines.terminal import print_json


def show_check(work: str, json: bool) -> int:
    """``earmark check``: print what was found, and return the command's exit code."""
    from earmark.checking.mlflow import check_mlflow
    from earmark.checking.store import check_store
    from earmark.checking.versions import check_versions
    from earmark.pipelines.checking_machine import check_machine
    from earmark.pipelines.local import Place

    place = Place(Path(work).expanduser().absolute())
    os.environ.update(place.environment())
    checks = {
        "store": check_store,
        "mlflow": check_mlflow,
        "versions": check_versions,
        "machine": lambda: check_machine(place.work),
        **_kubeflow(),
    }
    lines = run_checks(checks)
    if json:
        print_json([asdict(line) for line in lines])
    else:
        print("\n".join(written(line) for line in lines))
    return exit_code(lines)


def _kubeflow() -> Mapping[str, Check]:
    """The check of the cluster, where one is named."""
    if not os.environ.get("KFP_ENDPOINT", "").strip():
        return {}
    from earmark.pipelines.checking_kubeflow import check_back_end
    from earmark.pipelines.cluster import read_cluster
    from earmark.pipelines.kubeflow.client import load_clients

    load_clients()
    return {"kubeflow": lambda: check_back_end(read_cluster())}
