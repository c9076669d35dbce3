"""A run that is followed with its pods in sight; pods were recorded, what becomes of them is written here."""

import copy
import json
from pathlib import Path

import pytest
from runs_api import RunsApi

from earmark.pipelines.cluster import Cluster
from earmark.pipelines.kubeflow import follow
from earmark.pipelines.kubeflow.client import connect
from earmark.pipelines.kubeflow.kube import Unseen
from earmark.pipelines.terminal import Terminal

RECORDED = Path(__file__).parent / "recorded"
WAITING = json.loads((RECORDED / "pods.json").read_text())["step-without-image"]
IMAGE = "! preflight: its image ghcr.io/earmark/steps:9.9.9 cannot be had (ErrImagePull"


class SeenCluster:
    """A cluster's API whose pods, logs, events and workflows a test sets."""

    def __init__(self):
        self.pods, self.events, self.nodes = [copy.deepcopy(WAITING)], [], {}
        self.lines = []

    def get(self, path, **query):
        kind = path.rpartition("/")[2]
        if kind == "workflows":
            return {"items": [{"status": {"nodes": self.nodes}}]}
        if kind == "events":
            assert query == {"fieldSelector": f"involvedObject.name={WAITING['metadata']['name']}"}
            return {"items": self.events}
        assert query == {"labelSelector": "pipeline/runid=run-1"}
        return {"items": self.pods}

    def log(self, _namespace, _pod, _lines):
        return [f"2026-11-28T17:00:{second:02d}.0Z {line}" for second, line in enumerate(self.lines)]


@pytest.fixture
def cluster(monkeypatch):
    seen = SeenCluster()
    monkeypatch.setattr(follow, "open_kube", lambda: seen)
    monkeypatch.setattr(follow, "REFUSED_SECONDS", -1.0)
    monkeypatch.setattr(follow, "SLOW_SECONDS", -1.0)
    return seen


@pytest.fixture
def watch(monkeypatch, capfd):
    """Follows a run through what happens between two looks; what was said."""
    api = RunsApi()
    monkeypatch.setenv("KFP_ENDPOINT", api.endpoint)
    api.runs.append({"run_id": "run-1", "display_name": "compare-1", "state": "RUNNING"})

    def watch(*happenings, end="SUCCEEDED"):
        left = list(happenings)

        def between(_seconds):
            if left:
                left.pop(0)()
            else:
                api.runs[0]["state"] = end

        monkeypatch.setattr(follow.time, "sleep", between)
        follower = follow.Follower(connect(Cluster()), "run-1", Terminal())
        assert follower.follow().state == end
        follower.terminal.close()
        return follower, capfd.readouterr().err.splitlines()

    yield watch
    api.close()


def test_a_pod_that_cannot_start_is_told_once_although_its_reason_alternates(cluster, watch):
    waiting = cluster.pods[0]["status"]["containerStatuses"][0]["state"]["waiting"]
    waiting["reason"] = "ErrImagePull"
    follower, said = watch(lambda: waiting.update(reason="ImagePullBackOff"), lambda: None)
    assert len(said) == 1
    assert said[0].startswith(IMAGE)
    assert follower.troubles[0].waits


def test_what_a_slow_start_waits_for_is_told_once(cluster, watch):
    cluster.pods[0]["status"] = {"phase": "Pending"}
    cluster.events = [
        {
            "reason": "Pulling",
            "message": 'Pulling image "ghcr.io/earmark/train:0.1.0"',
            "lastTimestamp": "2026-11-28T17",
        },
        {"reason": "Started", "message": "Started container wait", "lastTimestamp": "2026-11-28T18"},
    ]
    _, said = watch(lambda: None)
    assert said == ['  preflight: Pulling image "ghcr.io/earmark/train:0.1.0"']


def test_a_steps_messages_end_and_reuse_are_those_of_a_run_here(cluster, watch):
    cluster.pods[0]["status"] = {"phase": "Running"}

    def ends():
        cluster.lines += ["preflight: done seconds=1.5 reused=True failed=None"]
        cluster.pods[0]["status"] = {"phase": "Succeeded"}

    cluster.lines = [
        "preflight: started",
        "preflight: ✓ store  answers",
        "preflight: the server's clock is 70 s behind",
    ]
    follower, said = watch(ends)
    assert said == ["  preflight: the server's clock is 70 s behind", "✓ preflight  was done already"]
    assert follower.terminal.done == follower.terminal.reused == ["preflight"]


def test_a_step_that_tells_its_error_needs_no_more(cluster, watch):
    cluster.pods[0]["status"] = {"phase": "Failed"}
    cluster.lines = ["preflight: error message=there is no such bucket [sounds] exit_code=2", "Error: exit status 2"]
    follower, said = watch(end="FAILED")
    assert said == ["✗ preflight failed: there is no such bucket [sounds]"]
    assert [(e["step"], e["exit_code"]) for e in follower.errors] == [("preflight", 2)]


def test_a_step_that_dies_without_a_word_shows_the_end_of_its_log(cluster, watch):
    cluster.pods[0]["status"] = {"phase": "Failed"}
    cluster.lines = ["preflight: started", "Segmentation fault", "E1128 16:41:28.364222 14 launcher_v2.go:449] failed"]
    _, said = watch(end="FAILED")
    assert said[0].startswith("  the end of the log of compare-f8ptj-")
    assert said[1:] == ["    preflight: started", "    Segmentation fault"]


def test_a_refused_pod_is_told_though_there_is_none(cluster, watch):
    cluster.pods = []
    cluster.nodes = {"x": json.loads((RECORDED / "refused.json").read_text())}
    _, said = watch()
    assert len(said) == 1
    assert "the cluster refuses its pod (violates PodSecurity" in said[0]


def test_pods_that_are_not_to_be_seen_are_told_of_once(monkeypatch, watch):
    def unseen():
        raise Unseen("pods is forbidden")

    monkeypatch.setattr(follow, "open_kube", unseen)
    _, said = watch(lambda: None)
    assert len(said) == 1
    assert "pods cannot be seen from here (pods is forbidden)" in said[0]
