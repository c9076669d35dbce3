"""Steps in what Kubeflow tells of its tasks; the runs were recorded from a 2.17 back end."""

import json
from pathlib import Path

import kfp_server_api
import pytest

from earmark.pipelines.kubeflow.steps import state_of, steps_of, told

RUNS = json.loads((Path(__file__).parent / "recorded" / "runs.json").read_text())


@pytest.fixture
def run():
    """A recorded run as the client hands it on."""

    class Response:
        def __init__(self, value):
            self.data = json.dumps(value)

    def run(name, **changes):
        return kfp_server_api.ApiClient().deserialize(Response(RUNS[name] | changes), "V2beta1Run")

    return run


def test_of_all_tasks_only_steps_are_told(run):
    [step] = steps_of(run("running"))
    assert (step.name, step.state, step.seconds) == ("preflight", "RUNNING", None)
    assert told([step]) == "0 done, now preflight"


def test_a_step_that_failed_has_its_time(run):
    steps = steps_of(run("failed"))
    assert [(step.name, step.state) for step in steps] == [("preflight", "FAILED"), ("finish_run", "FAILED")]
    assert steps[0].seconds == 31.0


def test_loops_and_their_turns_are_no_steps(run):
    steps = steps_of(run("looping"))
    assert [step.name for step in steps] == [
        "preflight",
        "build_catalog",
        "extract_part",
        "extract_features",
        "assemble_dataset",
        "train_model",
    ]
    assert told(steps) == "5 done, now train_model"


def test_a_cancelled_run_is_not_called_failed(run):
    assert RUNS["canceled"]["state"] == "FAILED"
    assert state_of(run("canceled")) == "CANCELED"
    assert state_of(run("failed")) == "FAILED"
    assert state_of(run("running")) == "RUNNING"


def test_a_run_without_tasks_yet_has_no_steps(run):
    assert steps_of(run("running", run_details=None)) == []
