"""The learning rate's shape."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.config import TrainConfig
from earmark.training.schedule import learning_rate


@given(
    steps=st.integers(1, 400),
    warmup=st.floats(0, 1),
    schedule=st.sampled_from(["constant", "late_drop", "cosine"]),
)
def test_every_rate_is_positive_and_at_most_the_peak(steps, warmup, schedule):
    config = TrainConfig(learning_rate=0.5, warmup_share=warmup, schedule=schedule)
    rates = [learning_rate(step, steps, config) for step in range(steps)]
    assert all(0 < rate <= 0.5 for rate in rates)


def test_warm_up_rises_linearly_to_the_peak():
    config = TrainConfig(learning_rate=1.0, warmup_share=0.1, schedule="constant")
    assert [learning_rate(step, 40, config) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_late_drop_divides_once_at_its_share_of_the_run():
    config = TrainConfig(learning_rate=1.0, schedule="late_drop", drop_at=13 / 17, drop_factor=10)
    rates = [learning_rate(step, 17, config) for step in range(17)]
    assert rates == [1.0] * 13 + [0.1] * 4


def test_cosine_falls_all_the_way():
    config = TrainConfig(learning_rate=1.0, warmup_share=0.0, schedule="cosine")
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates == sorted(rates, reverse=True)
    assert rates[50] == pytest.approx(0.5)
    assert rates[99] < 0.001
