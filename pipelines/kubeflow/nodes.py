"""Whether the nodes of a cluster could take the pods that its profiles describe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from earmark.checking.lines import Line
from earmark.pipelines.kubeflow.kube import Unseen, open_kube

if TYPE_CHECKING:
    from earmark.pipelines.cluster import Cluster, Profile, Toleration

PART = "nodes"
REPELS = ("NoSchedule", "NoExecute")
# What a node has taken from itself is for its own pods; a node that is away for a moment says so by these.
PASSING = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")


def check_nodes(cluster: Cluster, stages: Sequence[str], *, any_node: bool = False) -> Iterator[Line]:
    """Lines about every profile that the stages use.

    Args:
        cluster: profiles and namespace.
        stages: those of the pipeline.
        any_node: nodes are made on demand: what none of today's can take is only noted.
    """
    try:
        nodes = open_kube().get("/api/v1/nodes")["items"]
    except Unseen as error:
        hint = "set KUBECONFIG to a configuration that may list nodes and pods, or go on without"
        yield Line("note", PART, f"nodes and pods cannot be seen from here ({error})", hint)
        return
    yield from judge(cluster, stages, nodes, any_node=any_node)


def judge(
    cluster: Cluster, stages: Sequence[str], nodes: Sequence[Mapping[str, Any]], *, any_node: bool = False
) -> Iterator[Line]:
    """The lines, given the nodes."""
    bad = 0
    for stage in stages:
        profile = cluster.profile(stage)
        lacks = [lacking(profile, node) for node in nodes]
        if not all(lacks) and lacks:
            continue
        bad += 1
        least = min(lacks, key=len, default=["the cluster has no node"])
        hint = f"change profiles.{stage} in the cluster file, or add such a node"
        if profile.gpus and not any(_quantity(_allocatable(node), profile.gpu_type) for node in nodes):
            hint += f" (no node offers {profile.gpu_type}: a device plugin does that; gpus: 0 trains on CPUs)"
        mark: Literal["note", "bad"] = "note" if any_node else "bad"
        yield Line(mark, PART, f"no node can take a pod of {stage}: {'; '.join(least)}", hint)
    if not bad:
        yield Line("ok", PART, f"every stage has a node that could take it ({len(nodes)} seen)")


def lacking(profile: Profile, node: Mapping[str, Any]) -> list[str]:
    """What a node has too little of for a pod of this profile when it is empty, or how it keeps it away."""
    name, have = node["metadata"]["name"], _allocatable(node)
    wanted = {"cpu": profile.cpu, "memory": profile.memory}
    if profile.gpus:
        wanted[profile.gpu_type] = str(profile.gpus)
    found = []
    for kind, amount in wanted.items():
        if _parse(amount) > _quantity(have, kind):
            found.append(f"it asks for {amount} {kind}, {name} has {have.get(kind, 'none')}")
    labels = node["metadata"].get("labels", {})
    for key, value in profile.node_selector.items():
        if labels.get(key) != value:
            found.append(f"it wants nodes with {key}={value}, {name} has {labels.get(key, 'no such label')}")
    for taint in node.get("spec", {}).get("taints") or ():
        passing = taint["key"].startswith(PASSING)
        if taint["effect"] in REPELS and not passing and not any(_accepts(t, taint) for t in profile.tolerations):
            found.append(f"{name} has the taint {taint['key']}={taint.get('value', '')}:{taint['effect']}")
    return found


def _accepts(toleration: Toleration, taint: Mapping[str, Any]) -> bool:
    if toleration.effect is not None and toleration.effect != taint["effect"]:
        return False
    if toleration.operator == "Exists":
        return toleration.key in (None, taint["key"])
    return bool(toleration.key == taint["key"] and (toleration.value or "") == taint.get("value", ""))


def _allocatable(node: Mapping[str, Any]) -> Mapping[str, str]:
    allocatable: Mapping[str, str] = node.get("status", {}).get("allocatable", {})
    return allocatable


def _quantity(have: Mapping[str, str], kind: str) -> Decimal:
    return _parse(have.get(kind, "0"))


def _parse(amount: str) -> Decimal:
    from kubernetes.utils.quantity import parse_quantity

    found: Decimal = parse_quantity(amount)
    return found
