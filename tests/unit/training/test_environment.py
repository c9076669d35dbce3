"""Deterministic mode, and what a run's record says of its machine."""

import platform
import signal

import pytest
import torch

from earmark.progress import Progress
from earmark.tracking import RunContext
from earmark.training import training_key, worker
from earmark.training.environment import environment, make_deterministic
from earmark.training.job import Job


@pytest.fixture(autouse=True)
def as_it_was():
    yield
    make_deterministic(False)


def bits(network):
    return {name: tensor.numpy().tobytes() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("name", ["fully_connected", "resnet50", "inception_v3"])
def test_two_deterministic_runs_are_bit_identical(new_trainer, tiny_config, name):
    part = {"steps": 4, "deterministic": True, "batch_size": 8}
    config = tiny_config(architecture={"name": name, "width": 0.1}, train=part)
    first, second = (new_trainer(config, folder) for folder in ("a", "b"))
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.deterministic
    assert bits(first.train()) == bits(second.train())


def test_the_mode_ends_with_the_next_run_that_does_not_ask_for_it(new_trainer, tiny_config):
    make_deterministic(True)
    new_trainer(tiny_config(architecture={"name": "fully_connected", "width": 0.05}))
    assert not torch.are_deterministic_algorithms_enabled()


class Record:
    """A run's record that keeps what it is told."""

    def __init__(self):
        self.tags = {}

    def tag(self, tags):
        self.tags |= tags

    def log(self, part, row):
        pass


def test_a_worker_records_environment_processes_and_precision(material, tiny_config, tmp_path):
    config = tiny_config(architecture={"name": "fully_connected", "width": 0.05}, train={"steps": 2})
    key, context = training_key(material.dataset, config), RunContext("r", "p")
    job = Job(material.store.uri, material.dataset, material.patches, "v", config, key, context, tmp_path / "outcome")
    record = Record()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        worker._train(job, Progress("t", mode="off"), record)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    told = {f"environment.{name}": value for name, value in environment(torch.device("cpu")).items()}
    assert record.tags == {**told, "environment.processes": "1", "environment.precision": "fp32"}


def test_the_environment_names_versions_and_machine():
    told = environment(torch.device("cpu"))
    assert told["torch"] == torch.__version__
    assert told["python"] == platform.python_version()
    assert told["device"] == "cpu"
    assert told["threads"] == str(torch.get_num_threads())
    assert all(told.values())
