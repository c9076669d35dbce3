"""Checkpoints written while training goes on: none is lost, none mixes two states, errors reach who trains."""

import threading

import pytest
import torch

from earmark.errors import UserError
from earmark.store import open_store
from earmark.training.checkpoint import Checkpoint, Checkpoints, Writer
from earmark.training.loop import Trainer


class SlowStore:
    """A store whose writes wait until they may go on."""

    def __init__(self, store):
        self.store, self.may_write, self.writes = store, threading.Event(), threading.Event()

    def put(self, key, data):
        self.writes.set()
        assert self.may_write.wait(60)
        self.store.put(key, data)

    def __getattr__(self, name):
        return getattr(self.store, name)


class Killed(BaseException):
    """The process ends here."""


def at_step(step):
    return Checkpoint({"w": torch.full((3,), float(step))}, {"step": step})


def checkpoints_in(store):
    return Checkpoints(store, "results/train_model/k", keep=2, note=lambda text: None)


def ended(writer, checkpoint=None, error=None):
    """A writer's context from beginning to end."""
    with writer:
        if checkpoint is not None:
            writer.save(checkpoint)
        if error is not None:
            raise error


def bits(tensors):
    return {name: tensor.detach().contiguous().numpy().tobytes() for name, tensor in tensors.items()}


def test_training_goes_on_while_one_is_written_and_the_next_waits_for_it(tmp_path):
    store = SlowStore(open_store(tmp_path))
    with Writer(checkpoints_in(store)) as writer:
        writer.save(at_step(1))  # returns although nothing can be written
        assert store.writes.wait(60)
        writer.check()
        second = threading.Thread(target=writer.save, args=(at_step(2),))
        second.start()
        assert checkpoints_in(store.store).latest() is None
        store.may_write.set()
        second.join(60)
        assert checkpoints_in(store.store).latest() is not None
    assert checkpoints_in(store.store).latest().meta["step"] == 2


@pytest.mark.parametrize("call", ["save", "wait", "end"])
def test_what_the_writer_cannot_do_is_raised_where_training_runs(tmp_path, call):
    store = open_store(tmp_path)

    def full(key, data):
        raise UserError("the disk is full")

    store.put = full
    writer = Writer(checkpoints_in(store))
    writer.save(at_step(1))
    calls = {"save": lambda: writer.save(at_step(2)), "wait": writer.wait, "end": lambda: ended(writer)}
    with pytest.raises(UserError, match="the disk is full"):
        calls[call]()


def test_another_error_leaves_only_when_all_is_written_and_is_not_hidden(tmp_path):
    store = SlowStore(open_store(tmp_path))
    releaser = threading.Thread(target=lambda: store.writes.wait(60) and store.may_write.set())
    releaser.start()
    with pytest.raises(RuntimeError, match="training broke"):
        ended(Writer(checkpoints_in(store)), at_step(1), RuntimeError("training broke"))
    assert checkpoints_in(store.store).latest().meta["step"] == 1
    releaser.join()


def test_what_is_written_late_is_the_state_of_its_own_step(new_trainer, tiny_config, material):
    """The first checkpoint after the beginning is held back until the last step is done."""
    config = tiny_config(
        architecture={"name": "fully_connected", "width": 0.05},
        train={"steps": 8, "checkpoint_every_seconds": 1e6, "keep_checkpoints": 9, "ema_share": 0.5},
    )

    class SavesAt3(Trainer):
        def train_step(self, batch):
            super().train_step(batch)
            if self.step == 3:
                self.expected = bits(self.network.state_dict()), bits(self.average.network.state_dict())
                self.checkpoints.store = self.slow
                self.save()
            if self.step == 7:
                assert self.slow.writes.wait(60)
                self.slow.may_write.set()

    trainer = new_trainer(config, kind=SavesAt3)
    trainer.slow = SlowStore(material.store)
    trainer.train()
    own = trainer.checkpoints
    for folder in [f for f in own._steps() if not f.endswith("step-00000003")]:
        own._remove(folder)
    found = own.latest()
    assert found.meta["step"] == 3
    assert [point["step"] for point in found.meta["curves"]["train"]] == [1, 2]
    for name, expected in zip(("network", "average"), trainer.expected, strict=True):
        part = {k.removeprefix(f"{name}/"): t for k, t in found.tensors.items() if k.startswith(f"{name}/")}
        assert bits(part) == expected


def test_killed_between_state_and_marker_it_goes_on_from_the_one_before(
    new_trainer, tiny_config, material, monkeypatch
):
    config = tiny_config(
        architecture={"name": "fully_connected", "width": 0.05}, train={"steps": 8, "checkpoint_every_seconds": 0.0}
    )
    expected = bits(new_trainer(config, "undisturbed").train().state_dict())
    put = material.store.put

    def die_at_the_marker_of_5(key, data):
        if key.endswith("step-00000005/done.json"):
            raise Killed
        put(key, data)

    monkeypatch.setattr(material.store, "put", die_at_the_marker_of_5)
    with pytest.raises(Killed):
        new_trainer(config).train()
    monkeypatch.undo()
    resumed = new_trainer(config)
    network = resumed.train()
    assert "going on from step 4 of 8" in new_trainer.notes
    assert bits(network.state_dict()) == expected
