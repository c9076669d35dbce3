"""When the network is compiled, and what is said where that cannot be."""

import pytest
import torch

from earmark.errors import UserError
from earmark.progress import Progress
from earmark.training import compiling, loop
from earmark.training.checkpoint import Checkpoints
from earmark.training.compiling import EARNED_STEPS, compiles
from earmark.training.loop import Stopped, Trainer

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("wanted", "device", "steps", "expected", "reason"),
    [
        ("off", GPU, 10**9, False, "train.compile is off"),
        ("auto", CPU, 10**9, False, "on a CPU"),
        ("auto", GPU, EARNED_STEPS - 1, False, f"{EARNED_STEPS - 1} steps do not earn"),
        ("auto", GPU, 0, False, "do not earn"),
        ("auto", GPU, EARNED_STEPS, True, "compiled by torch"),
        ("on", CPU, 1, True, "compiled by torch"),
    ],
)
def test_it_compiles_where_that_pays_or_is_asked_for(monkeypatch, wanted, device, steps, expected, reason):
    monkeypatch.setattr(compiling, "_cannot_compile", lambda device: None)
    found, told = compiles(wanted, device, steps)
    assert found is expected
    assert reason in told


def test_without_a_working_compiler_on_is_refused_and_auto_goes_without(monkeypatch):
    # Wherever torch's compiler would look for one.
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: setattr(self, "_compiled_call_impl", broken))
    with pytest.raises(UserError, match=r"RuntimeError: no g\+\+\): it needs a C\+\+ compiler .*train.compile to off"):
        compiles("on", CPU, 10)
    monkeypatch.setattr(compiling, "_cannot_compile", lambda device: "RuntimeError: no Triton")
    assert compiles("auto", GPU, 10**6) == (False, "not compiled: torch cannot do it here (RuntimeError: no Triton)")


def broken(*_):
    raise RuntimeError("no g++\nand more lines")


def test_what_was_chosen_is_kept_for_the_resumed_run(material, tiny_config, monkeypatch):
    config = tiny_config(architecture={"name": "fully_connected", "width": 0.05}, train={"steps": 4})
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compiled.append(type(self).__name__))

    class StopsAtOnce(Trainer):
        def train_step(self, batch):
            super().train_step(batch)
            self.stop_requested = True

    def trainer(kind):
        checkpoints = Checkpoints(material.store, "results/train_model/k", 2, lambda text: None)
        return kind(material.open(), config, checkpoints, Progress("t", mode="off"), lambda *row: None)

    monkeypatch.setattr(loop, "compiles", lambda *_: (True, "compiled"))
    with pytest.raises(Stopped):
        trainer(StopsAtOnce).train()
    monkeypatch.setattr(loop, "compiles", lambda *_: pytest.fail("chosen again"))
    trainer(Trainer).train()
    assert compiled == ["Network", "Network"]
