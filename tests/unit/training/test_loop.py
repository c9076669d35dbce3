"""The loop: it learns, resumes bit for bit, stops when told, and notices what goes wrong."""

import math

import pytest
import torch

from earmark.architectures import scores_of
from earmark.errors import EarmarkError
from earmark.training import loop
from earmark.training.loop import Stopped, Trainer
from earmark.training.precision import faster_precision

ARCHITECTURES = {
    "fully_connected": {"name": "fully_connected", "width": 0.05},
    "resnet50": {"name": "resnet50", "width": 0.1},
}


def bits(network):
    return {name: tensor.numpy().tobytes() for name, tensor in network.state_dict().items()}


class StopsAt(Trainer):
    """Is told to stop after some steps."""

    at = -1

    def train_step(self, batch):
        super().train_step(batch)
        self.stop_requested = self.step == self.at


def test_it_learns_and_tells_its_curves(new_trainer, tiny_config):
    part = {"steps": 40, "learning_rate": 3e-3}
    config = tiny_config(architecture=ARCHITECTURES["resnet50"], augment={"mix_alpha": 0.0}, train=part)
    trainer = new_trainer(config)
    trainer.train()
    losses = [point["loss"] for point in trainer.watch.curves["train"]]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    assert [point["step"] for point in trainer.watch.curves["validation"]] == [20, 40]
    assert trainer.watch.curves["validation"][-1]["accuracy"] > 1 / 3
    assert [row for part, row in new_trainer.logged if part == "validation"] == trainer.watch.curves["validation"]
    assert trainer.seconds > 0


@pytest.mark.parametrize(
    ("name", "ema_share", "precision"),
    [("fully_connected", 0.5, "fp32"), ("resnet50", 0.0, "fp32"), ("resnet50", 0.5, "bf16")],
)
def test_stopped_and_resumed_at_any_step_ends_bit_for_bit_alike(new_trainer, tiny_config, name, ema_share, precision):
    part = {"steps": 12, "ema_share": ema_share, "precision": precision}
    config = tiny_config(architecture=ARCHITECTURES[name], train=part)
    whole = new_trainer(config, "undisturbed")
    expected = bits(whole.train())
    for at in (1, 6, 7):
        trainer = new_trainer(config, kind=StopsAt)
        trainer.at = at
        with pytest.raises(Stopped, match=f"step {at}"):
            trainer.train()
    last = new_trainer(config)
    assert bits(last.train()) == expected
    without_times = [[{**p, "patches_per_s": 0} for p in t.watch.curves["train"]] for t in (last, whole)]
    assert without_times[0] == without_times[1]
    assert last.watch.curves["validation"] == whole.watch.curves["validation"]


def test_validation_disturbs_nothing(new_trainer, tiny_config):
    architecture = ARCHITECTURES["resnet50"]
    often = tiny_config(architecture=architecture, train={"steps": 8, "validate_every_share": 0.125, "ema_share": 0.0})
    seldom = tiny_config(architecture=architecture, train={"steps": 8, "validate_every_share": 1.0, "ema_share": 0.0})
    assert bits(new_trainer(often, "a").train()) == bits(new_trainer(seldom, "b").train())


def test_another_seed_is_another_network(new_trainer, tiny_config):
    networks = [
        new_trainer(
            tiny_config(architecture=ARCHITECTURES["fully_connected"], seed=seed, train={"steps": 2}), str(seed)
        )
        for seed in (0, 1)
    ]
    assert bits(networks[0].train()) != bits(networks[1].train())


def test_output_biases_start_at_the_labels_log_odds(new_trainer, tiny_config):
    for loss in ("sigmoid", "softmax"):
        trainer = new_trainer(tiny_config(architecture=ARCHITECTURES["fully_connected"], train={"loss": loss}), loss)
        shares_C = torch.from_numpy(trainer.batches.label_shares())
        said_C = scores_of(trainer.network.output.bias[None], loss)[0].double()
        torch.testing.assert_close(said_C, shares_C, atol=1e-5, rtol=0)


def test_a_loss_that_is_not_finite_stops_with_step_and_rate(new_trainer, tiny_config, monkeypatch):
    trainer = new_trainer(tiny_config(architecture=ARCHITECTURES["fully_connected"]))
    step = trainer.forward_backward_step
    monkeypatch.setattr(
        trainer, "forward_backward_step", lambda *a: step(*a) * (math.nan if trainer.step == 4 else 1.0)
    )
    with pytest.raises(EarmarkError, match=r"the loss is nan at step 5 \(learning rate .*lower train.learning_rate"):
        trainer.train()


def test_the_precision_chosen_is_kept(new_trainer, tiny_config, monkeypatch):
    config = tiny_config(architecture=ARCHITECTURES["fully_connected"], train={"precision": "auto", "steps": 4})
    monkeypatch.setattr(loop, "faster_precision", lambda *a: "bf16")
    first = new_trainer(config, kind=StopsAt)
    first.at = 1
    with pytest.raises(Stopped):
        first.train()
    monkeypatch.setattr(loop, "faster_precision", lambda *a: pytest.fail("measured again"))
    resumed = new_trainer(config)
    resumed.train()
    assert resumed.precision == "bf16"


def test_the_faster_precision_wins_and_the_network_is_left_alone(monkeypatch):
    network = torch.nn.Linear(2, 2)
    before = bits(network)
    clock = {"now": 0.0, "fp32": 3.0, "bf16": 1.0}
    monkeypatch.setattr("earmark.training.precision.time.process_time", lambda: clock["now"])

    def step(trial, precision, size):
        clock["now"] += clock[precision]
        torch.nn.init.zeros_(trial.weight)

    device = torch.device("cpu")
    assert faster_precision(network, device, step) == "bf16"
    clock["bf16"] = 2.9
    assert faster_precision(network, device, step) == "fp32"
    assert bits(network) == before


def test_nothing_to_validate_on_is_no_error(new_trainer, tiny_config):
    config = tiny_config(architecture=ARCHITECTURES["fully_connected"], train={"steps": 2})
    trainer = new_trainer(config)
    trainer.validation.y_NC = trainer.validation.y_NC[:0]
    trainer.train()
    assert trainer.watch.curves["validation"] == []


def test_a_deterministic_run_measures_nothing(new_trainer, tiny_config, monkeypatch):
    monkeypatch.setattr(loop, "faster_precision", lambda *a: pytest.fail("measured"))
    part = {"deterministic": True, "precision": "auto", "steps": 2}
    trainer = new_trainer(tiny_config(architecture=ARCHITECTURES["fully_connected"], train=part))
    try:
        trainer.train()
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    assert trainer.precision == "fp32"
