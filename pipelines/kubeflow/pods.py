"""What is wrong with a run's pods: Kubeflow's API never tells that one cannot start, or why one was ended."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from earmark.pipelines.kubeflow.kube import Kube, Unseen

RUN_LABEL = "pipeline/runid"
NODE_NAME = "workflows.argoproj.io/node-name"
STEP = re.compile(r"\.(?P<task>[a-z0-9-]+)\(\d+\)\.executor(\(\d+\))?$")
"""A step's own pod, in Argo's name for it: ``compare-x1(0).root(0).train-model(0).executor(0)``."""

NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
NO_CONFIG = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
SLOW = ("Pulling", "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
"""Reasons of events about what may take long, or for ever."""
LOST = ("Evicted", "Preempting", "NodeLost", "NodeShutdown", "Terminated", "UnexpectedAdmissionError")


@dataclass(frozen=True)
class Trouble:
    """Why a pod does not start, or was ended."""

    step: str
    """The step, or the pod's name where it is none of a step."""
    what: str
    remedy: str
    waits: bool
    """Whether the run waits for ever unless somebody acts; else the pod has ended."""

    def __str__(self) -> str:
        return f"{self.step}: {self.what}: {self.remedy}"


def pods_of(kube: Kube, namespace: str, run: str) -> list[dict[str, Any]]:
    """The pods of a run, by Kubeflow's id, in the order that they were made.

    Raises:
        Unseen: they are not to be seen from here.
    """
    found = kube.get(f"/api/v1/namespaces/{namespace}/pods", labelSelector=f"{RUN_LABEL}={run}")
    return sorted(found["items"], key=lambda pod: str(pod["metadata"]["creationTimestamp"]))


def refused_of(kube: Kube, namespace: str, run: str) -> list[Trouble]:
    """Pods that admission refused: there is none to look at, only Argo's word on it."""
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflows"
    try:
        found = kube.get(path, labelSelector=f"{RUN_LABEL}={run}")["items"]
    except Unseen:
        return []
    nodes = [node for flow in found for node in (flow.get("status", {}).get("nodes") or {}).values()]
    return [trouble for node in nodes for trouble in refused(node)]


def waits_for(kube: Kube, namespace: str, pod: str) -> str:
    """What a pod that does not start yet waits for, in the cluster's words; "" where nothing is told."""
    path = f"/api/v1/namespaces/{namespace}/events"
    try:
        events = kube.get(path, fieldSelector=f"involvedObject.name={pod}")["items"]
    except Unseen:
        return ""
    told = [event for event in events if event["reason"] in SLOW]
    latest = max(told, key=lambda event: event.get("lastTimestamp") or "", default={"message": ""})
    return " ".join(latest["message"].split())[:300]


def step_of(pod: Mapping[str, Any]) -> str | None:
    """The step that a pod is of; None for Kubeflow's own pods."""
    name = pod["metadata"].get("annotations", {}).get(NODE_NAME, "")
    found = STEP.search(name)
    return found["task"].replace("-", "_") if found else None


def troubles(pod: Mapping[str, Any]) -> Iterator[Trouble]:
    """What is wrong with a pod, with the remedy."""
    step = step_of(pod) or pod["metadata"]["name"]
    status = pod.get("status", {})
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield _unscheduled(step, condition.get("message", ""))
    if status.get("reason") in LOST:
        yield _lost(step, status["reason"], status.get("message", ""))
        return
    if status.get("reason") == "DeadlineExceeded":
        hint = "give its profile more timeout_minutes in the cluster file; `earmark retry` goes on from what is done"
        yield Trouble(step, "it took longer than its timeout", hint, waits=False)
        return
    specs = {container["name"]: container for container in pod["spec"]["containers"]}
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        yield from _container(step, pod["metadata"].get("namespace", ""), container, specs.get(container["name"], {}))


def _container(step: str, namespace: str, container: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Trouble]:
    state = container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    reason, message = waiting.get("reason", ""), " ".join(waiting.get("message", "").split())
    if reason in NO_IMAGE:
        image = spec.get("image") or container.get("image", "")
        hint = "push it, or name another under images in the cluster file; the run goes on once the image is there"
        told = message.rpartition("desc = ")[2][:200]
        yield Trouble(step, f"its image {image} cannot be had ({reason}: {told})", hint, waits=True)
    elif reason in NO_CONFIG:
        hint = f"make it in namespace {namespace}, or correct secrets of the step's profile; the run goes on then"
        yield Trouble(step, f"it cannot start ({reason}: {message[:300]})", hint, waits=True)
    elif ended.get("reason") == "OOMKilled":
        limit = spec.get("resources", {}).get("limits", {}).get("memory", "its node's memory")
        hint = "give its profile more memory in the cluster file, then submit again: what is done stays done"
        yield Trouble(step, f"it was ended for want of memory (limit {limit})", hint, waits=False)


def _unscheduled(step: str, message: str) -> Trouble:
    told = message.partition(" no new claims")[0].partition(" preemption:")[0].rstrip(". ")
    hint = "free a node, add one, or ask for less in the step's profile (cluster file); it waits until a node has room"
    return Trouble(step, f"no node takes its pod ({told})", hint, waits=True)


def _lost(step: str, reason: str, message: str) -> Trouble:
    what = f"its pod was ended by the cluster ({reason}: {' '.join(message.split())[:200]})"
    if reason == "Evicted":
        hint = "give its profile more scratch or memory in the cluster file; `earmark retry` goes on from what is done"
    else:
        hint = "Kubeflow starts it again; if it does not, `earmark retry` goes on from what is done"
    return Trouble(step, what, hint, waits=False)


def refused(node: Mapping[str, Any]) -> Iterator[Trouble]:
    """What Argo tells of a pod that the cluster did not let it make."""
    message = " ".join((node.get("message") or "").split())
    if node.get("type") == "Pod" and re.search(r"is forbidden|is invalid|denied the request", message):
        step = node.get("displayName", "").partition("(")[0]
        told = re.split(r"is (?:forbidden|invalid): ", message)[-1]
        hint = (
            "change the step's profile (cluster file) or the namespace's policy or quota; it is tried again until then"
        )
        yield Trouble(step, f"the cluster refuses its pod ({told[:300]})", hint, waits=True)
