"""Reliability: the calibration error computed again by hand, and what chance makes of it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from earmark.metrics import reliability


def by_hand(said, right):
    """The expected calibration error, one bin after the other."""
    error = 0.0
    for b in range(10):
        inside = (said >= b / 10) & ((said < (b + 1) / 10) | (b == 9))
        if inside.any():
            error += inside.mean() * abs(said[inside].mean() - right[inside].mean())
    return error


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 200), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_the_error_agrees_with_a_loop_over_the_bins(n, c, seed):
    draw = np.random.default_rng(seed)
    scores = draw.dirichlet(np.ones(c), n)
    targets = np.eye(c)[draw.integers(0, c, n)]
    top = reliability(targets, scores, "softmax")
    rows = np.arange(n)
    assert top.ece == pytest.approx(by_hand(scores.max(axis=1), targets[rows, scores.argmax(axis=1)]))
    assert top.log_loss == pytest.approx(log_loss(targets.argmax(axis=1), scores, labels=range(c)))
    every = reliability(targets, scores, "sigmoid")
    assert every.ece == pytest.approx(by_hand(scores.ravel(), targets.ravel()))
    assert sum(each.count for each in every.bins) == n * c
    assert all(each.low <= each.share <= each.high for each in every.bins)


def test_chance_is_about_what_perfect_probabilities_show():
    draw = np.random.default_rng(0)
    for scores in (draw.random((60, 1)), draw.beta(0.2, 4, (60, 8))):
        seen = [reliability(draw.random(scores.shape) < scores, scores, "sigmoid").ece for _ in range(300)]
        assert reliability(scores < 0.5, scores, "sigmoid").chance == pytest.approx(np.mean(seen), rel=0.15)


def test_no_clips_have_no_error():
    nothing = reliability(np.zeros((0, 3)), np.zeros((0, 3)), "softmax")
    assert math.isnan(nothing.ece)
    assert nothing.bins == ()
    assert nothing.to_json() == {"clips": 0, "ece": None, "chance": None, "log_loss": None, "bins": []}
