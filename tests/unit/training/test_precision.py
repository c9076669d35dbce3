"""The probe of precisions: right where they differ, bounded in time where the machine is slow."""

import pytest
import torch

from earmark.training.precision import faster_precision

CPU = torch.device("cpu")


@pytest.fixture
def machine(monkeypatch):
    """A machine on which a patch takes so many seconds in each precision; ``spent`` by precision is what was used."""

    class Machine:
        now = 0.0

        def choose(self, fp32, bf16, fixed=0.0):
            self.spent, self.sizes = {"fp32": 0.0, "bf16": 0.0}, []

            def step(network, precision, size):
                seconds = fixed + size * {"fp32": fp32, "bf16": bf16}[precision]
                self.now += seconds
                self.spent[precision] += seconds
                self.sizes.append(size)

            return faster_precision(torch.nn.Linear(1, 1), CPU, step)

    machine = Machine()
    monkeypatch.setattr("earmark.training.precision.time.process_time", lambda: machine.now)
    return machine


@pytest.mark.parametrize("per_patch", [1e-5, 1e-3, 0.03, 0.5])
def test_the_faster_precision_is_found_within_its_time(machine, per_patch):
    for bf16, expected in ((0.5, "bf16"), (0.95, "fp32"), (2.0, "fp32")):
        assert machine.choose(per_patch, per_patch * bf16) == expected
        assert sum(machine.spent.values()) <= 6.0


def test_fast_machines_are_measured_with_a_batch_like_the_real_one(machine):
    # What a step costs whatever its size hides the difference in small batches.
    assert machine.choose(1e-3, 2e-4, fixed=2e-3) == "bf16"
    assert max(machine.sizes) == 32


def test_without_hardware_for_bf16_the_smallest_batch_settles_it(machine):
    assert machine.choose(0.1, 4.0) == "fp32"
    assert set(machine.sizes) == {1}
    assert machine.spent["bf16"] <= 8.0
