"""The learning-rate range test: what it suggests, and that it trains as training does."""

import numpy as np
import pytest

from earmark.progress import Progress
from earmark.training.range_test import HIGHEST, LOWEST, RANGE_STEPS, judge, learning_rate_range, rising_rates, smooth

RATES = np.array(rising_rates())


def curve(best, noise=0.0):
    """A loss that falls fastest at a rate of ``best`` and rises two decades above it."""
    decades = np.log10(RATES / best)
    loss = 2.3 - 1.5 / (1 + np.exp(-6 * decades)) + 4 * np.clip(decades - 1.5, 0, None) ** 2
    return loss + np.random.default_rng(0).normal(0, noise, len(loss))


@pytest.mark.parametrize("best", [1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_the_rate_in_the_middle_of_the_fall_is_suggested(best, noise):
    found = judge(RATES, curve(best, noise))
    assert abs(np.log10(found.suggested / best)) < 0.35
    assert "the middle of the loss's fall from 2." in found.reason


def test_where_the_loss_only_wavers_or_rises_nothing_is_suggested():
    wavering = 2.3 + np.random.default_rng(1).normal(0, 0.05, RANGE_STEPS)
    for losses in (wavering, 2.3 + np.linspace(0, 1, RANGE_STEPS)):
        found = judge(RATES, losses)
        assert found.suggested is None
        assert "fell nowhere" in found.reason


def test_smoothing_keeps_a_constant_and_does_not_lag():
    np.testing.assert_allclose(smooth([1.5] * 20), 1.5)
    step = smooth([0.0] * 50 + [1.0] * 50)
    assert step[49] == pytest.approx(1 - step[50])


def test_it_trains_a_fresh_network_over_all_rates(material, tiny_config):
    config = tiny_config(architecture={"name": "fully_connected", "width": 0.05}, train={"steps": 5, "batch_size": 8})
    found, again = (learning_rate_range(material.open(), config, Progress("t", mode="off")) for _ in range(2))
    assert found == again
    assert found.learning_rates[0] == LOWEST
    assert found.learning_rates[-1] <= HIGHEST
    assert len(found.losses) == len(found.learning_rates) == len(found.smoothed)
    assert min(found.smoothed) < found.smoothed[0]
    assert max(found.losses[-5:]) > max(found.losses[:5])  # driven until it breaks
