"""The best validation point: which it is, that its weights are shipped, also when the run was stopped after it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from earmark.errors import UserError
from earmark.training.loop import Stopped, Trainer
from earmark.training.state import better

SCORES = st.sampled_from([None, 0.0, 0.25, 0.5])


def bits(tensors):
    return {name: tensor.detach().contiguous().numpy().tobytes() for name, tensor in tensors.items()}


class Recorder(Trainer):
    """Keeps what each validation point would ship; scores what it is told; may be told to stop."""

    scores, at = (), -1

    def _validate(self):
        self.validation.score = lambda predict: self.scores[len(self.watch.curves["validation"])]
        super()._validate()
        self.recorded = {**getattr(self, "recorded", {}), self.step: bits(self.average.network.state_dict())}

    def train_step(self, batch):
        super().train_step(batch)
        self.stop_requested = self.step == self.at


def score(map_, accuracy):
    return {"map": map_, "accuracy": accuracy, "auc": 0.5}


@given(st.lists(st.tuples(SCORES, SCORES), min_size=1, max_size=8))
def test_the_best_has_the_highest_map_then_accuracy_then_is_the_latest(scores):
    best = None
    for step, pair in enumerate(scores):
        best = better({"step": step, **score(*pair)}, nn.Linear(1, 1), best)
    ranks = [(map_ or 0.0, accuracy or 0.0) for map_, accuracy in scores]
    assert best.point["step"] == max(range(len(ranks)), key=lambda step: (ranks[step], step))


@pytest.mark.parametrize("at", [None, 2, 5, 7], ids=lambda at: f"stopped at {at}")
def test_the_best_weights_are_shipped_however_often_it_was_stopped(new_trainer, tiny_config, at):
    scores = [score(0.5, 0.5), score(0.75, 0.25), score(0.75, 0.5), score(0.5, 1.0)]
    part = {"steps": 8, "validate_every_share": 0.25, "ema_share": 0.5, "select": "best"}
    config = tiny_config(architecture={"name": "fully_connected", "width": 0.05}, train=part)

    class Told(Recorder):
        pass

    Told.scores = scores
    whole = new_trainer(config, "undisturbed", Told)
    whole.train()
    if at is not None:
        stopped = new_trainer(config, kind=Told)
        stopped.at = at
        with pytest.raises(Stopped):
            stopped.train()
    trainer = new_trainer(config, kind=Told)
    network = trainer.train()
    assert trainer.best.point["step"] == trainer.selected["step"] == 6
    assert bits(network.state_dict()) == whole.recorded[6] != whole.recorded[8]
    assert trainer.checkpoints.latest().meta["best"] == {"step": 6, **scores[2]}


def test_the_last_is_shipped_unless_the_best_is_asked_for(new_trainer, tiny_config):
    config = tiny_config(architecture={"name": "fully_connected", "width": 0.05}, train={"steps": 4, "ema_share": 0.5})

    class Falling(Recorder):
        scores = (score(0.9, 0.9), score(0.1, 0.1))

    trainer = new_trainer(config, kind=Falling)
    assert bits(trainer.train().state_dict()) == trainer.recorded[4]
    assert trainer.selected["step"] == 4
    assert trainer.best.point["step"] == 2


def test_the_best_of_no_validation_part_is_refused(new_trainer, tiny_config, monkeypatch):
    monkeypatch.setattr("earmark.training.loop.Validation.__len__", lambda self: 0)
    with pytest.raises(UserError, match=r"train\.select is best and .* no validation part .*set train\.select to last"):
        new_trainer(tiny_config(architecture={"name": "fully_connected"}, train={"select": "best"}))
