"""Several processes train the network that one would: the same curve, checkpoints of either, the same bits twice."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from earmark.architectures import create
from earmark.architectures.base import Dropout, tell_rows
from earmark.config import TrainConfig
from earmark.errors import EarmarkError, UserError
from earmark.progress import Progress
from earmark.training import train_model
from earmark.training.distributed import PeerLost, lost_peer
from earmark.training.job import Outcome
from earmark.training.processes import check_batch, check_gpus, memory_remedy

# Dropout between wide layers, mixing, masks: all that could depend on how a batch is shared.
DENSE = {"name": "fully_connected", "width": 0.05, "dropout": 0.3}
AUGMENT = {"mix_alpha": 0.4, "gain_db": 6.0, "time_masks": 1, "time_mask_frames": 10}
TRAIN = {"steps": 30, "batch_size": 16, "checkpoint_every_seconds": 0.0, "max_restarts": 4, "keep_checkpoints": 40}


class Watcher(Progress):
    """Keeps what it is told; ``at(steps done, ids of the workers by rank)`` is called on every progress line."""

    def __init__(self, at=None):
        super().__init__("test", mode="off")
        self.at, self.notes, self.workers = at, [], {}

    def update(self, done, total, unit, **facts):
        if self.at:
            self.at(done, self.workers)

    def note(self, message):
        self.notes.append(message)

    def event(self, event, **facts):
        if event == "worker":
            self.workers[facts["rank"]] = facts["pid"]


@pytest.fixture
def train(shared_material, tmp_path, context, tiny_config, monkeypatch):
    """Trains by so many processes in a fresh store, or in one with checkpoints."""

    def run(processes, watcher=None, material=None, **patch):
        monkeypatch.setenv("EARMARK_PROCESSES", str(processes))
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        material = material or shared_material.copied(tmp_path / f"store{len(list(tmp_path.glob('store*')))}")
        config = tiny_config(architecture=DENSE, augment=AUGMENT, train={**TRAIN, **patch})
        made = train_model(
            material.store, material.dataset, material.patches, "v", config, context, watcher or Watcher()
        )
        return material, made

    return run


def weights_of(material, made):
    return load(made.files["weights.safetensors"].read(material.store))


def losses_of(material, made):
    return np.array([p["loss"] for p in json.loads(made.files["curves.json"].read(material.store))["train"]])


def close(trained, other):
    mine, theirs = weights_of(*trained), weights_of(*other)
    return all(np.allclose(mine[name], theirs[name], rtol=1e-3, atol=1e-5) for name in mine)


def forget_after(material, step):
    """Leave the checkpoint after a step as the latest, and no result."""
    for info in list(material.store.list("results/train_model/")):
        number = info.key.partition("step-")[2].partition("/")[0]
        if not number or int(number) > step:
            material.store.delete(info.key)


def test_two_processes_and_micro_batches_train_as_one_and_go_on_from_each_others_checkpoints(train):
    one, two = train(1), train(2)
    losses = losses_of(*one)
    assert len(losses) == 30
    np.testing.assert_allclose(losses_of(*two), losses, rtol=1e-5)
    assert close(one, two)
    parts = train(1, micro_batch_size=4)
    np.testing.assert_allclose(losses_of(*parts), losses, rtol=1e-5)
    for (material, _), processes in ((one, 2), (two, 1)):
        forget_after(material, 12)
        watcher = Watcher()
        resumed = train(processes, watcher, material)
        assert "going on from step 12 of 30" in watcher.notes
        np.testing.assert_allclose(losses_of(*resumed), losses, rtol=1e-5)
        assert close(resumed, parts)


def test_two_processes_killed_in_every_way_end_with_the_same_bits(train):
    steps = {"steps": 400, "keep_checkpoints": 2}
    expected = train(2, **steps)[1].files["weights.safetensors"].sha256
    done_with = []

    def kill(done, workers):
        """The first process, torchrun, and one told to stop, each at a step of its own."""
        ways = {
            6: lambda: os.kill(workers[0], signal.SIGKILL),
            12: lambda: os.kill(torchrun_of(workers[0]), signal.SIGKILL),
            18: lambda: os.kill(workers[1], signal.SIGTERM),
        }
        way = next((step for step in ways if step not in done_with), None)
        # Lines that the dead had still told come after their death.
        if way is not None and done >= way and len(workers) == 2:
            done_with.append(way)
            ways[way]()
            workers.clear()

    watcher = Watcher(kill)
    _, made = train(2, watcher, **steps)
    assert done_with == [6, 12, 18]
    assert made.facts["restarts"] == 3
    assert made.files["weights.safetensors"].sha256 == expected
    assert sum("was killed" in note for note in watcher.notes) == 2
    assert sum("was stopped" in note for note in watcher.notes) == 1


SUPERVISOR = """
import json, sys
from earmark.config import parse_config
from earmark.progress import Progress
from earmark.store import Manifest, open_store
from earmark.tracking import RunContext
from earmark.training import train_model

store, dataset, patches, config = sys.argv[1:]
train_model(
    open_store(store), Manifest.from_json(dataset), Manifest.from_json(patches), "v", parse_config(json.loads(config)),
    RunContext("r", "p"), Progress("test", mode="json"),
)
"""


def test_when_the_supervisor_is_killed_nobody_is_left(shared_material, tmp_path, context, tiny_config, monkeypatch):
    monkeypatch.setenv("EARMARK_PROCESSES", "2")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    material = shared_material.copied(tmp_path / "store")
    config = tiny_config(architecture=DENSE, train={**TRAIN, "steps": 100_000, "keep_checkpoints": 2})
    arguments = [material.store.uri, material.dataset.to_json(), material.patches.to_json(), config.model_dump_json()]
    workers, torchrun = set(), None
    command = [sys.executable, "-c", SUPERVISOR, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            told = json.loads(line)
            if told["earmark"] == "worker":
                workers.add(told["pid"])
            elif told["earmark"] == "progress":
                torchrun = torchrun_of(next(iter(workers)))
                process.kill()
                break
        # The pipe ends when the last process that writes to it is about to end.
        errors = process.stderr.read()
    assert len(workers) == 2, errors
    assert all(ends(pid) for pid in (*workers, torchrun))


def ends(pid):
    """Whether a process is gone, or goes while it is waited for."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ready, _, _ = select.select([handle], [], [], 60)
    os.close(handle)
    return bool(ready)


def torchrun_of(pid):
    """The parent of a worker."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_what_fails_in_several_processes_is_told_once_with_its_cause(train):
    with pytest.raises(UserError, match=r"^train.batch_size is 100000 but the training part has"):
        train(2, batch_size=100_000)


def test_of_several_outcomes_the_first_stays(tmp_path):
    path = tmp_path / "outcome.json"
    Outcome("failed", "the cause").write(path)
    Outcome("failed", "what followed").write(path)
    assert Outcome.read(path) == Outcome("failed", "the cause")
    assert list(tmp_path.iterdir()) == [path]


def test_killed_too_often_the_run_is_given_up_and_nobody_is_left(train):
    killed = set()

    def kill(done, workers):
        if len(workers) == 2:
            killed.update(workers.values())
            os.kill(workers[1], signal.SIGKILL)
            workers.clear()

    with pytest.raises(
        EarmarkError, match=r"one of 2 training workers was killed 2 times .*train.micro_batch_size to 4"
    ):
        train(2, Watcher(kill), steps=100_000, max_restarts=1)
    assert len(killed) == 4
    assert all(ends(pid) for pid in killed)


def test_what_does_not_suit_the_processes_is_refused_before_anything_is_opened(train, monkeypatch):
    with pytest.raises(UserError, match=r"train.batch_size is 15, which 2 processes cannot share .*to 14 or 16"):
        train(2, batch_size=15)
    with pytest.raises(UserError, match=r"train.micro_batch_size is 3, which does not divide the 8 .*to 2"):
        train(2, micro_batch_size=3)
    with pytest.raises(UserError, match=r"EARMARK_PROCESSES is 'two': set it to a whole number from 1 up"):
        train("two")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("EARMARK_GPUS", "4")
    with pytest.raises(UserError, match=r"promised 4 GPUs .EARMARK_GPUS. and sees 0: check .*or ask for 0 GPUs"):
        train(2)


def test_fewer_gpus_than_processes_are_refused_with_both_numbers(monkeypatch):
    monkeypatch.delenv("EARMARK_GPUS", raising=False)
    with pytest.raises(UserError, match=r"8 processes .* and 3 can be seen: ask for at most 3 processes"):
        check_gpus(8, 3)
    check_gpus(8, 0)
    check_gpus(3, 3)


def test_out_of_memory_names_the_next_smaller_micro_batch():
    assert "train.micro_batch_size to 16 (32 patches" in memory_remedy(TrainConfig(batch_size=64), 2)
    assert "train.micro_batch_size to 4 (8 patches" in memory_remedy(TrainConfig(batch_size=64, micro_batch_size=8), 1)
    assert memory_remedy(TrainConfig(batch_size=2), 2) == "lower train.batch_size or architecture.width"
    check_batch(TrainConfig(batch_size=64, micro_batch_size=16), 4)


@pytest.mark.parametrize("size", [16, 8, 4, 1])
def test_dropout_drops_the_same_units_however_a_batch_is_split(size):
    dropout = Dropout(0.4)
    network = torch.nn.Sequential(dropout)
    x_BE = torch.ones(16, 50)
    torch.manual_seed(3)
    whole_BE = network(x_BE)
    parts = []
    for first in range(0, 16, size):
        torch.manual_seed(3)
        tell_rows(network, first, 16)
        parts.append(network(x_BE[first : first + size]))
    assert torch.equal(torch.cat(parts), whole_BE)
    kept = whole_BE != 0
    assert torch.allclose(whole_BE[kept], torch.tensor(1 / 0.6))
    assert 0.5 < kept.float().mean() < 0.7
    assert torch.equal(dropout.eval()(x_BE), x_BE)


def test_networks_with_dropout_are_exported_as_before():
    network = create("fully_connected", 3, 0.05, None, 0.5).eval()
    tell_rows(network, 8, 16)
    x_BTF = torch.zeros(2, 96, 64)
    assert torch.equal(torch.export.export(network, (x_BTF,)).module()(x_BTF), network(x_BTF))


def test_only_what_says_that_another_process_is_gone_counts_as_that():
    assert lost_peer(PeerLost("gone"))
    assert lost_peer(RuntimeError("[/pytorch/third_party/gloo/transport/tcp/pair.cc:534] Connection closed by peer"))
    assert not lost_peer(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not lost_peer(torch.OutOfMemoryError("CUDA out of memory"))
