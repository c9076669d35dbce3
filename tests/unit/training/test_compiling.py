"""When the network is compiled, and what is said where that cannot be."""

import pytest
import torch

from earmark.errors import UserError
from earmark.training import compiling
from earmark.training.compiling import EARNED_STEPS, compiles

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
