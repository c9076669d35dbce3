"""What pods tell; the objects were recorded on a Kubernetes 1.34 with pods that were made to go wrong."""

import json
from pathlib import Path

import pytest

from earmark.pipelines.kubeflow.pods import refused, step_of, troubles

RECORDED = Path(__file__).parent / "recorded"
PODS = json.loads((RECORDED / "pods.json").read_text())


@pytest.mark.parametrize(
    ("pod", "what", "remedy", "waits"),
    [
        ("missing-image", "image ghcr.io/earmark/train:0.0.9 cannot be had (ImagePullBackOff", "push it", True),
        ("invalid-image", "cannot be had (InvalidImageName", "under images in the cluster file", True),
        ("too-large", "no node takes its pod (0/1 nodes are available: 1 Insufficient cpu", "ask for less", True),
        ("missing-secret", '"earmark-store-trainer" not found', "make it in namespace trial-submit", True),
        ("out-of-memory", "for want of memory (limit 64Mi)", "more memory in the cluster file", False),
        ("evicted", 'Usage of EmptyDir volume "s" exceeds the limit', "more scratch or memory", False),
    ],
)
def test_what_keeps_a_pod_from_starting_or_ended_it_is_told_with_the_remedy(pod, what, remedy, waits):
    [trouble] = troubles(PODS[pod])
    assert what in trouble.what
    assert remedy in trouble.remedy
    assert trouble.waits is waits
    assert str(trouble).startswith(f"{pod}: ")


def test_a_steps_pod_is_called_by_its_step():
    pod = PODS["step-without-image"]
    assert step_of(pod) == "preflight"
    [trouble] = troubles(pod)
    assert str(trouble).startswith("preflight: its image ghcr.io/earmark/steps:9.9.9 cannot be had (")


def test_a_driver_is_no_step_and_a_pod_that_is_well_no_trouble():
    pod = json.loads(json.dumps(PODS["step-without-image"]))
    pod["metadata"]["annotations"]["workflows.argoproj.io/node-name"] = (
        "c(0).root(0).exit-handler-1(0).preflight-driver(0)"
    )
    assert step_of(pod) is None
    pod["status"] = {"phase": "Running", "containerStatuses": [{"name": "main", "state": {"running": {}}}]}
    assert list(troubles(pod)) == []


def test_a_pod_that_the_cluster_refuses_is_told_by_argo_alone():
    node = json.loads((RECORDED / "refused.json").read_text())
    [trouble] = refused(node)
    assert "the cluster refuses its pod (violates PodSecurity" in trouble.what
    assert trouble.waits
    assert list(refused({**node, "message": "main: Error (exit code 1)"})) == []


def test_a_loops_steps_are_named_too():
    name = "compare-x(0).root(0).for-loop-2(0).iteration-iteration(0:0).iteration(0).train-model(1).executor(2)"
    assert step_of({"metadata": {"annotations": {"workflows.argoproj.io/node-name": name}}}) == "train_model"
