"""Training alone, by one process and by two, killed at random steps: the long form."""

import pytest

from .training import main


def test_training_killed_at_random_steps_ends_with_the_undisturbed_weights(long):
    if not long:
        pytest.skip("the long form alone: --long")
    assert main([]) == 0
