"""Checks of Kubeflow Pipelines: that it answers, what its pods need in its namespace, and what it runs again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from earmark.checking.lines import Line, one_line
from earmark.pipelines.cluster import STAGES, Cluster
from earmark.pipelines.kubeflow.kube import Unseen, open_kube
from earmark.pipelines.kubeflow.nodes import check_nodes
from earmark.pipelines.kubeflow.preflight import PART, check_kubeflow

CONTROLLER = "workflow-controller-configmap"
FAILURES = ("Always", "OnFailure")
"""Policies by which a step that fails is run again; the others are for pods that are lost."""


def check_back_end(cluster: Cluster) -> Iterator[Line]:
    """Lines about the back end that ``KFP_ENDPOINT`` names, and about its cluster as far as that can be seen."""
    yield from check_kubeflow(cluster)
    yield from check_retries(cluster.namespace)
    yield from check_nodes(cluster, STAGES)


def check_retries(namespace: str) -> Iterator[Line]:
    """What is run again, by the configuration of the workflow controller."""
    try:
        found = open_kube().get(f"/api/v1/namespaces/{namespace}/configmaps/{CONTROLLER}")
    except Unseen as error:
        hint = (
            f"let this user get ConfigMap {CONTROLLER} of namespace {namespace}; as Kubeflow is shipped, lost pods are "
            "run again and failing steps are not"
        )
        yield Line("note", PART, f"the retry policy cannot be read ({one_line(error)})", hint)
        return
    yield judge_retries(found.get("data") or {})


def judge_retries(data: Mapping[str, str]) -> Line:
    """The line about the retry policy.

    Args:
        data: of the workflow controller's ConfigMap: parts of its configuration as YAML, or all of it as ``config``.
    """
    import yaml

    try:
        whole = {**(yaml.safe_load(data.get("config", "")) or {}), **data}
        defaults = whole.get("workflowDefaults") or {}
        parsed = yaml.safe_load(defaults) if isinstance(defaults, str) else defaults
        strategy = _dig(parsed, "spec", "templateDefaults", "retryStrategy")
    except yaml.YAMLError:
        hint = f"correct it: kubectl edit configmap {CONTROLLER}"
        return Line("note", PART, f"workflowDefaults of {CONTROLLER} is no YAML", hint)
    policy = str(strategy.get("retryPolicy") or "OnFailure") if strategy else ""
    if not strategy:
        return Line("ok", PART, "a step that fails is run again as often as its profile says (retries)")
    if policy in FAILURES:
        what = f"a step that fails is run again ({CONTROLLER} has the retry policy {policy} for all steps)"
        return Line("ok", PART, what)
    limit = f", at most {strategy['limit']} times" if strategy.get("limit") else ""
    what = f"a pod that is lost is run again{limit}, a step that fails is not (retry policy {policy} in {CONTROLLER})"
    hint = (
        "this may stay: training starts its own worker again, and `earmark retry RUN` goes on from what is done; to "
        "have the profiles' retries count, take templateDefaults.retryStrategy out while nothing runs"
    )
    return Line("note", PART, what, hint)


def _dig(tree: Any, *names: str) -> dict[str, Any]:
    for name in names:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else {}
