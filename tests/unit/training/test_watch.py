"""Guards: the step at which numbers cease to be finite, and a loss that stays at chance."""

import math

import pytest
import torch
from safetensors.torch import load

from earmark.errors import EarmarkError
from earmark.training.loop import Stopped, Trainer

DENSE = {"name": "fully_connected", "width": 0.05}


def all_finite(trainer):
    """Whether every number in every kept checkpoint is finite."""
    kept = [i.key for i in trainer.checkpoints.store.list("results/train_model/k/") if i.key.endswith(".safetensors")]
    assert kept
    states = [load(trainer.checkpoints.store.get(key)) for key in kept]
    return all(tensor.isfinite().all() for state in states for tensor in state.values())


class Poisoned(Trainer):
    """A weight becomes NaN in the update of a step."""

    at = -1

    def train_step(self, batch):
        super().train_step(batch)
        if self.step == self.at:
            with torch.no_grad():
                self.network.output.weight[0, 0] = math.nan


@pytest.mark.parametrize("at", [1, 6, 29])
def test_the_first_step_whose_loss_is_not_finite_is_named_however_late_losses_are_read(new_trainer, tiny_config, at):
    """300 steps a point of the curve: the losses of many steps are read at once."""
    part = {"steps": 60_000, "batch_size": 4, "validate_every_share": 1.0, "checkpoint_every_seconds": 1e6}
    trainer = new_trainer(tiny_config(architecture=DENSE, train=part), kind=Poisoned)
    trainer.at = at
    clips = trainer.batches.clip_ids(at)
    with pytest.raises(
        EarmarkError, match=rf"^the loss is nan at step {at + 1} \(learning rate .*lower train\.learning_rate"
    ) as e:
        trainer.train()
    assert all(clip in str(e.value) for clip in clips)
    assert f"the batch of step {at + 1} held the clips {', '.join(clips)}" in new_trainer.notes
    assert all_finite(trainer)


def test_no_checkpoint_holds_weights_that_are_not_finite(new_trainer, tiny_config):
    part = {"steps": 8, "checkpoint_every_seconds": 0.0, "keep_checkpoints": 99}
    trainer = new_trainer(tiny_config(architecture=DENSE, train=part), kind=Poisoned)
    trainer.at = 5
    with pytest.raises(EarmarkError, match=r"^some weights are not finite after step 5 \(learning rate"):
        trainer.train()
    assert max(trainer.checkpoints._steps()).endswith("step-00000004")
    assert all_finite(trainer)


def test_an_absurd_learning_rate_is_stopped(new_trainer, tiny_config):
    part = {"steps": 40, "learning_rate": 1e30, "schedule": "constant", "warmup_share": 0.0}
    trainer = new_trainer(tiny_config(architecture=DENSE, train=part))
    with pytest.raises(EarmarkError, match=r"step \d+ \(learning rate 1e\+30; clips of its batch: .*precision to fp32"):
        trainer.train()
    assert all_finite(trainer)


def warnings_of(new_trainer):
    return [note for note in new_trainer.notes if note.startswith("warning: ")]


@pytest.mark.parametrize("loss", ["sigmoid", "softmax"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_loss_still_at_chance_warns_once_with_mixing_and_smoothing(new_trainer, tiny_config, loss, smoothing):
    part = {"steps": 24, "learning_rate": 1e-9, "chance_after_steps": 12, "loss": loss, "label_smoothing": smoothing}
    config = tiny_config(architecture={**DENSE, "dropout": 0.0}, augment={"mix_alpha": 1.0}, train=part)
    trainer = new_trainer(config)
    with torch.no_grad():
        trainer.network.output.weight.zero_()  # it says the shares, whatever it hears
    trainer.train()
    [warning] = warnings_of(new_trainer)
    assert warning.startswith("warning: after 12 steps the loss is ")
    assert "train.learning_rate" in warning


@pytest.mark.parametrize("after", [50, None, 1000])
def test_a_network_that_learns_is_not_warned_of(new_trainer, tiny_config, after):
    part = {"steps": 60, "learning_rate": 1e-3, "chance_after_steps": after}
    config = tiny_config(architecture={**DENSE, "dropout": 0.0}, augment={"mix_alpha": 0.0}, train=part)
    trainer = new_trainer(config)
    trainer.train()
    assert warnings_of(new_trainer) == []


def test_chance_is_looked_at_once_also_when_the_run_was_stopped_there(new_trainer, tiny_config):
    class StopsAt(Trainer):
        def train_step(self, batch):
            super().train_step(batch)
            self.stop_requested = self.step == 12

    part = {"steps": 24, "learning_rate": 1e-9, "chance_after_steps": 12}
    config = tiny_config(architecture=DENSE, train=part)
    with pytest.raises(Stopped):
        new_trainer(config, kind=StopsAt).train()
    new_trainer(config).train()
    assert len(warnings_of(new_trainer)) == 1
