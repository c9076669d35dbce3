"""How long a run is: by steps, epochs or minutes, and that measuring leaves no trace."""

import pytest

from earmark.config import TrainConfig
from earmark.training import budget
from earmark.training.budget import stated_steps
from earmark.training.loop import Stopped, Trainer

DENSE = {"name": "fully_connected", "width": 0.05}


def bits(network):
    return {name: tensor.numpy().tobytes() for name, tensor in network.state_dict().items()}


class StopsAt(Trainer):
    at = 2

    def train_step(self, batch):
        super().train_step(batch)
        self.stop_requested = self.step == self.at


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ({"steps": 7}, 7),
        ({"epochs": 1}, 4),
        ({"epochs": 3}, 10),
        ({"epochs": 0.001}, 1),
        ({"minutes": 2}, None),
    ],
)
def test_epochs_round_up_to_whole_batches(given, steps):
    assert stated_steps(TrainConfig(batch_size=30, **given), 100) == steps


def test_epochs_are_trained(new_trainer, tiny_config):
    config = tiny_config(architecture=DENSE, train={"steps": None, "epochs": 0.5, "batch_size": 16})
    trainer = new_trainer(config)
    trainer.train()
    assert trainer.step == trainer.steps == -(-len(trainer.batches.sampler.patches) // 32)


def test_minutes_become_the_steps_that_fit_and_leave_no_trace(new_trainer, tiny_config, monkeypatch):
    ticks = {"now": 0.0}
    monkeypatch.setattr(budget, "_now", lambda trainer: ticks["now"])

    class Timed(Trainer):
        def train_step(self, batch):
            super().train_step(batch)
            if self.steps == budget.ANY_STEPS:
                ticks["now"] += 2.0

        def predict(self, x_PTF):
            if self.steps == budget.ANY_STEPS:
                ticks["now"] += 0.5
            return super().predict(x_PTF)

    part = {"steps": None, "minutes": 1.5, "validate_every_share": 0.5, "precision": "fp32"}
    trainer = new_trainer(tiny_config(architecture=DENSE, train=part), kind=Timed)
    before = bits(trainer.network)
    monkeypatch.setattr(budget.time, "perf_counter", lambda: 0.0)
    steps = budget.measured_steps(trainer)
    spent = (budget.WARM_UP_STEPS + budget.TIMED_STEPS) * 2.0 + 2 * 0.5
    validation = 0.5 * len(trainer.validation.row_P) / 128
    assert steps == int((90 - spent - 2 * validation) / 2.0)
    assert trainer.step == 0
    assert bits(trainer.network) == before
    assert all(not moment.any() for moment in trainer.optimiser.state().values())


def test_a_run_by_minutes_is_the_same_run_by_steps_and_measures_once(new_trainer, tiny_config, monkeypatch):
    by_steps = tiny_config(architecture=DENSE, train={"steps": 6, "ema_share": 0.5})
    by_minutes = tiny_config(architecture=DENSE, train={"steps": None, "minutes": 1, "ema_share": 0.5})
    expected = bits(new_trainer(by_steps, "by steps").train())
    measured = budget.measured_steps
    monkeypatch.setattr("earmark.training.loop.measured_steps", lambda trainer: (measured(trainer), 6)[1])
    with pytest.raises(Stopped):
        new_trainer(by_minutes, kind=StopsAt).train()
    monkeypatch.setattr("earmark.training.loop.measured_steps", lambda trainer: pytest.fail("measured again"))
    resumed = new_trainer(by_minutes)
    assert bits(resumed.train()) == expected
    assert resumed.steps == 6


def test_too_few_minutes_are_one_step(new_trainer, tiny_config):
    trainer = new_trainer(tiny_config(architecture=DENSE, train={"steps": None, "minutes": 1e-6}))
    trainer.train()
    assert trainer.step == 1
