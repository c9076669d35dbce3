"""The product on a real cluster: installed, submitted to, killed, scheduled. Minutes: a step is two pods."""

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import kfp
import pytest
import yaml
from kube import following, kubectl, objects, watched

from earmark.pipelines.kubeflow.pods import step_of

EARMARK = Path(sys.executable).with_name("earmark")
RUNS = "kubeflow"
MODEL = f"cluster-test-{int(time.time())}"
"""A model of its own each time: another would have a champion already."""
TINY = ["--preset", "quick", "--model", MODEL, "--set=architecture.width=0.1", "--set=train.batch_size=16"]
TINY += ["--set=train.precision=fp32", "--set=evaluate.bootstrap_resamples=100"]


def earmark(servers, *arguments):
    """The command to its end."""
    return subprocess.run([EARMARK, *map(str, arguments)], capture_output=True, text=True, env=servers, check=False)


def ended(run):
    """How a Kubeflow run ended, once it has."""
    client = kfp.Client(host=os.environ["KFP_ENDPOINT"])
    return client.wait_for_run_completion(run, timeout=900, sleep_duration=3).state


def submitted(servers, work, *arguments):
    """What a run that was waited for printed as JSON."""
    done = earmark(servers, "submit", *arguments, "--wait", "--json", "--work", work)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.fixture(scope="module")
def compared(servers, three_labels, tmp_path_factory):
    """A comparison that was submitted from a folder and waited for."""
    work = tmp_path_factory.mktemp("work")
    asked = ("compare", "--data", three_labels, "--architectures", "fully_connected,alexnet", "--steps", 12, *TINY)
    return *submitted(servers, work, *asked), work


@pytest.fixture(scope="module")
def data(compared, servers):
    """Where the folder was uploaded to."""
    runs = json.loads(earmark(servers, "runs", "--json").stdout)
    [found] = [run["data"] for run in runs if run["run"] == compared[0]["run"]]
    return found


def test_the_servers_are_there_and_applied_again_change_nothing(installed):
    for part in ("overlays/local", "kubeflow"):
        again = kubectl(
            "apply", "--server-side", "-k", Path(__file__).parents[2] / "manifests" / part, "--dry-run=server"
        )
        assert "created" not in again
    for pod in objects("pods", "earmark"):
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True


def test_a_folder_becomes_a_champion(compared, servers):
    told, _, work = compared
    assert {network["name"] for network in told["networks"]} == {"fully_connected", "alexnet"}
    page = Path(told["report"])
    assert page.read_text().lower().startswith("<!doctype html>")
    assert work in page.parents
    found = json.loads(earmark(servers, "models", "--json").stdout)
    champions = [model for model in found if model["name"] == MODEL and "champion" in model["aliases"]]
    assert [str(champion["version"]) for champion in champions] == [str(told["champion"]["version"])]


def test_the_run_is_listed_and_its_report_fetched(compared, servers, tmp_path):
    told, _, _ = compared
    listed = json.loads(earmark(servers, "runs", "--cluster", "--json").stdout)
    assert {run["state"] for run in listed if run["run"] == told["run"]} == {"succeeded"}
    page = tmp_path / "page.html"
    fetched = earmark(servers, "report", told["run"], "--output", page)
    assert fetched.returncode == 0, fetched.stderr
    assert page.read_bytes() == Path(told["report"]).read_bytes()


def test_features_are_extracted_side_by_side(compared):
    found = [pod for pod in objects("pods", RUNS, "pipeline/runid") if step_of(pod) == "extract_part"]
    assert len(found) >= 2


def test_steps_are_nobody_special(compared):
    pods = [pod for pod in objects("pods", RUNS, "pipeline/runid") if step_of(pod)]
    assert {pod["spec"]["serviceAccountName"] for pod in pods} == {"earmark-runner"}
    mains = [c for pod in pods for c in pod["spec"]["containers"] if c["name"] == "main"]
    assert {(c["securityContext"]["runAsUser"], c["securityContext"]["runAsNonRoot"]) for c in mains} == {(10001, True)}


def test_mlflow_answers_a_pod_through_its_service(compared):
    """The preflight asks MLflow by the name that every pod has; its line is in the log of a run's first step."""
    [first] = [pod for pod in objects("pods", RUNS, "pipeline/runid") if step_of(pod) == "preflight"][:1]
    log = kubectl("logs", "-n", RUNS, first["metadata"]["name"], "-c", "main")
    assert "mlflow.earmark:5000" in log


def test_a_training_pod_that_is_deleted_mid_run_resumes(servers, data, tmp_path):
    """The pod goes once it has trained; another begins at its checkpoint, by itself or by `earmark retry`."""
    # A seed of its own each time: what was trained once is never trained again.
    asked = ["compare", "--data", data, "--architectures", "fully_connected", "--steps", 3000, *TINY]
    asked += ["--seed", int(time.time())]
    started = earmark(servers, "submit", *asked, "--set=train.checkpoint_every_seconds=1", "--json")
    assert started.returncode == 0, started.stderr
    run = json.loads(started.stdout)
    label = f"pipeline/runid={run['kubeflow']}"
    for _, pod in watched("pods", RUNS, label):
        if step_of(pod) == "train_model" and pod["status"]["phase"] == "Running":
            victim = pod["metadata"]
            break
    told_steps = re.compile(r"train_model/fully_connected: [1-9]\d*/3000 steps")
    with following(RUNS, victim["name"]) as lines:
        assert any(told_steps.search(line) for line in lines)
    kubectl("delete", "pod", "-n", RUNS, victim["name"], "--grace-period=0", "--force")
    again = earmark(servers, "submit", *asked, "--set=train.checkpoint_every_seconds=1", "--wait", "--work", tmp_path)
    if again.returncode != 0:  # Argo saw the exit code first: a failure, which Kubeflow as shipped does not retry
        again = earmark(servers, "retry", run["run"], "--wait", "--work", tmp_path)
    assert again.returncode == 0, again.stderr
    pods = [pod for pod in objects("pods", RUNS, label) if step_of(pod) == "train_model"]
    second = [pod for pod in pods if pod["metadata"]["uid"] != victim["uid"]]  # Argo uses the name again
    log = "".join(kubectl("logs", "-n", RUNS, pod["metadata"]["name"], "-c", "main") for pod in second)
    assert int(re.search(r"going on from step (\d+) of 3000", log).group(1)) > 0


def test_a_schedule_fires_and_ends_where_nothing_is_new(servers, data, tmp_path):
    file = tmp_path / "schedules.yaml"
    wanted = {
        "name": "each-minute",
        "pipeline": "retrain",
        "cron": "0 * * * * *",
        "data": data,
        "options": {"model": MODEL},
    }
    file.write_text(yaml.safe_dump({"schedules": [wanted]}))
    began = datetime.now(UTC).isoformat()
    applied = earmark(servers, "schedule", "apply", file, "--yes")
    assert applied.returncode == 0, applied.stderr
    try:
        for _, pod in watched("pods", RUNS, "pipeline/runid"):
            ours = pod["metadata"]["name"].startswith("each-minute") and pod["metadata"]["creationTimestamp"] > began
            if ours and step_of(pod) == "find_news" and pod["status"]["phase"] == "Succeeded":
                fired = pod["metadata"]["labels"]["pipeline/runid"]
                break
    finally:
        file.write_text("schedules: []\n")
        earmark(servers, "schedule", "apply", file, "--prune", "--yes")  # only switched off while its run goes on
    assert ended(fired) == "SUCCEEDED"
    pruned = earmark(servers, "schedule", "apply", file, "--prune", "--yes")
    assert pruned.returncode == 0, pruned.stderr
    left = json.loads(earmark(servers, "schedule", "list", "--json").stdout)
    assert "each-minute" not in json.dumps(left)
    runs = json.loads(earmark(servers, "runs", "--json").stdout)
    assert {run["state"] for run in runs if run["run"] == f"retrain-{fired[:8]}"} == {"succeeded"}


def test_the_deadline_ends_a_run_whose_pod_cannot_start(servers, data, cluster_file, tmp_path):
    """An image that is not there: told at once by whoever waits, ended by the run's own deadline."""
    asked = yaml.safe_load(cluster_file.read_text())
    asked["deadline_hours"] = 0.03
    asked["images"]["steps"] = "ghcr.io/earmark/steps:not-there"
    file = tmp_path / "cluster.yaml"
    file.write_text(yaml.safe_dump(asked))
    done = earmark(servers, "submit", "compare", "--data", data, "--steps", 13, *TINY, "--wait", "--cluster", file)
    assert done.returncode == 1
    assert "ghcr.io/earmark/steps:not-there" in done.stderr
    assert "failed after" in done.stderr


def test_gpus_that_no_node_has_are_missed_before_anything_starts(servers, cluster_file, tmp_path):
    before = kubectl("get", "workflows", "-n", RUNS, "-o", "name")
    asked = yaml.safe_load(cluster_file.read_text())
    asked["profiles"]["train"]["gpus"] = 3
    file = tmp_path / "cluster.yaml"
    file.write_text(yaml.safe_dump(asked))
    done = earmark(servers, "submit", "compare", "--data", "s3://sounds/any", *TINY, "--cluster", file)
    assert done.returncode == 2
    assert "nvidia.com/gpu" in done.stderr
    assert kubectl("get", "workflows", "-n", RUNS, "-o", "name") == before
