"""Thresholds: the best of all that there are, and why."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score

from earmark.metrics import choose_thresholds
from earmark.metrics.thresholds import LEAST_POSITIVES


def clips(seed, n=50, ties=False):
    draw = np.random.default_rng(seed)
    truth = draw.random((n, 2)) < [0.5, 0.3]
    truth[: LEAST_POSITIVES + 2] = True
    scores = np.clip(truth * 0.3 + draw.random((n, 2)) * 0.7, 0, 1)
    return truth.astype(float), np.round(scores, 1) if ties else scores


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_no_other_threshold_has_a_better_f1(seed, ties):
    targets, scores = clips(seed, ties=ties)
    for c, found in enumerate(choose_thresholds(targets, scores)):
        every = [f1_score(targets[:, c], scores[:, c] >= value) for value in np.unique(scores[:, c])]
        own = f1_score(targets[:, c], scores[:, c] >= found.value)
        assert own == pytest.approx(max(every))
        assert own == pytest.approx(2 * found.precision * found.recall / (found.precision + found.recall))
        assert found.reason == "f1"


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.3, 1.0))
def test_the_lowest_threshold_that_reaches_a_precision(seed, wanted):
    targets, scores = clips(seed)
    for c, found in enumerate(choose_thresholds(targets, scores, "precision", wanted)):
        every = {v: precision_score(targets[:, c], scores[:, c] >= v) for v in np.unique(scores[:, c])}
        if found.reason == "precision":
            assert found.precision >= wanted
            assert all(precision < wanted for value, precision in every.items() if value < found.value)
        else:
            assert found.reason == "unreached"
            assert found.precision == pytest.approx(max(every.values()))
            assert max(every.values()) < wanted


def test_a_class_with_few_positives_takes_the_threshold_of_all_and_says_so():
    targets, scores = clips(1)
    targets[np.flatnonzero(targets[:, 1])[LEAST_POSITIVES - 1 :], 1] = 0
    own, pooled = choose_thresholds(targets, scores)
    assert (own.reason, pooled.reason) == ("f1", "pooled")
    assert pooled.positives == LEAST_POSITIVES - 1
    together = choose_thresholds(targets.reshape(-1, 1), scores.reshape(-1, 1))[0]
    assert pooled.value == together.value
    assert "fewer than 10 positives" in pooled.sentence()


def test_a_class_without_a_positive_has_no_recall():
    targets, scores = clips(2)
    targets[:, 1] = 0
    none = choose_thresholds(targets, scores)[1]
    assert (none.reason, none.positives, none.recall) == ("pooled", 0, None)


def test_a_threshold_lies_between_what_counts_and_what_does_not():
    targets = np.array([[1]] * 12 + [[0]] * 12)
    scores = np.array([[0.8]] * 12 + [[0.4]] * 12)
    assert choose_thresholds(targets, scores)[0].value == pytest.approx(0.6)
    assert choose_thresholds(np.ones((12, 1)), np.full((12, 1), 0.8))[0].value == pytest.approx(0.4)
