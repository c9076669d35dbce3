"""Runs that are stopped, killed or fed a network that cannot train."""

import html
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from .conftest import EARMARK, SMALL, earmark, environment


def start(data, work, *more):
    command = [str(EARMARK), "run", "compare", "--data", str(data), "--work", str(work), *SMALL, *more, "--json"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), start_new_session=True
    )


def processes(work, *words):
    """Ids of running processes of a work folder whose command line holds all the words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            line = path.with_name("cmdline").read_bytes().decode(errors="replace")
            if f"EARMARK_WORK={work}\0".encode() in path.read_bytes() and all(word in line for word in words):
                found.append(int(path.parent.name))
        except OSError:  # ended meanwhile
            continue
    return found


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
    return value


def weights(work):
    """Names of trained weights, which hold their digests; other tests may have trained more in a shared folder."""
    return {path.name for path in (work / "store/results/train_model").glob("*/weights-*.safetensors")}


def test_a_run_is_not_run_twice_at_once_and_ends_with_its_command_whether_that_is_killed_or_terminated(
    three_labels, tmp_path
):
    work = tmp_path / "work"
    run = start(three_labels, work)
    wait_for(lambda: processes(work, "kfp.dsl.executor_main"))
    _, told = start(three_labels, work).communicate(timeout=60)
    assert f"is running already in {work} (process {run.pid})" in told.splitlines()[-1]
    assert json.loads(earmark("runs", "--work", work, "--json").stdout)[0]["state"] == "running"
    run.kill()
    run.communicate(timeout=30)
    wait_for(lambda: not processes(work))

    run = start(three_labels, work)
    wait_for(lambda: processes(work, "earmark.pipelines.runner"))
    run.send_signal(signal.SIGTERM)
    _, told = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "it was killed: this goes on from there" in told
    assert "the same command goes on from there" in told
    assert processes(work) == []

    run = start(three_labels, work)
    wait_for(lambda: processes(work, "earmark.pipelines.runner"))
    run.kill()
    run.communicate(timeout=30)
    assert json.loads(earmark("runs", "--work", work, "--json").stdout)[0]["state"] == "stopped"


def test_ctrl_c_ends_everything_and_the_same_command_goes_on(compared, three_labels, tmp_path):
    reference, document, _ = compared
    work = tmp_path / "work"
    run = start(three_labels, work)
    wait_for(lambda: processes(work, "earmark.training.worker"))
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "the same command goes on from there" in told
    assert processes(work) == []
    assert json.loads(earmark("runs", "--work", work, "--json").stdout)[0]["state"] == "stopped"

    done = earmark("run", "compare", "--data", three_labels, "--work", work, *SMALL, "--json")
    assert done.returncode == 0, done.stderr
    assert len(weights(work)) == len(document["networks"])
    assert weights(work) <= weights(reference)
    again = json.loads(done.stdout)
    assert [n["map"] for n in again["networks"]] == [n["map"] for n in document["networks"]]


def test_a_killed_training_step_resumes_by_itself(compared, three_labels, tmp_path):
    reference, document, _ = compared
    work = tmp_path / "work"
    run = start(three_labels, work)
    wait_for(lambda: processes(work, "earmark.training.worker"))
    for process in processes(work, "kfp.dsl.executor_main", "train_model"):
        os.kill(process, signal.SIGKILL)
    out, told = run.communicate(timeout=240)
    assert run.returncode == 0, told
    assert len(weights(work)) == len(document["networks"])
    assert weights(work) <= weights(reference)
    assert json.loads(out)["champion"]["version"] == 1


def test_a_network_that_fails_is_named_the_others_are_compared_and_the_run_fails(three_labels, tmp_path):
    work = tmp_path / "work"
    run = start(three_labels, work, "--set", "train.max_restarts=0", "--set", "train.steps=13")
    wait_for(lambda: (work / "store/runs").is_dir() and list((work / "store/runs").glob("*/evaluate_model.fully*")))
    for process in wait_for(lambda: processes(work, "earmark.training.worker")):
        os.kill(process, signal.SIGKILL)
    out, told = run.communicate(timeout=240)
    assert run.returncode == 1, told
    assert "alexnet" in told.splitlines()[-1]
    document = json.loads(out)
    assert [n["name"] for n in document["networks"]] == ["fully_connected"]
    assert [f["variant"] for f in document["failures"]] == ["alexnet"]
    assert document["champion"] is None
    assert document["failures"][0]["cause"] in html.unescape(Path(document["report"]).read_text(encoding="utf-8"))
    assert json.loads(earmark("runs", "--work", work, "--json").stdout)[0]["state"] == "failed"
