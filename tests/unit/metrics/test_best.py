"""1-best accuracy, recall and confusion."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from earmark.errors import UserError
from earmark.metrics import confusion, one_best_accuracy, recall


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_single_labels_agree_with_scikit_learn(n, c, seed):
    draw = np.random.default_rng(seed)
    true, scores = draw.integers(0, c, n), draw.random((n, c))
    targets, top = np.eye(c)[true], scores.argmax(axis=1)
    cells = confusion(targets, scores)
    np.testing.assert_array_equal(cells, confusion_matrix(true, top, labels=np.arange(c)))
    assert one_best_accuracy(targets, scores) == pytest.approx(accuracy_score(true, top))
    assert np.trace(cells) / n == pytest.approx(one_best_accuracy(targets, scores))
    wanted = recall_score(true, top, labels=np.arange(c), average=None, zero_division=np.nan)
    np.testing.assert_allclose(recall(targets, scores), wanted)


def test_the_top_label_may_be_any_of_a_clips_labels_and_unlabelled_clips_do_not_count():
    targets = [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
    scores = [[0.1, 0.9, 0.2], [0.9, 0.1, 0.2], [0.9, 0.1, 0.2]]
    assert one_best_accuracy(targets, scores) == 0.5
    assert recall(targets, scores).tolist() == [0.0, 0.5, 0.0]


def test_of_equal_top_scores_the_first_counts():
    assert one_best_accuracy([[0, 1], [1, 0]], [[0.5, 0.5], [0.5, 0.5]]) == 0.5
    assert confusion([[0, 1], [1, 0]], [[0.5, 0.5], [0.5, 0.5]]).tolist() == [[1, 0], [1, 0]]


def test_nothing_to_score():
    assert math.isnan(one_best_accuracy(np.zeros((2, 3)), np.ones((2, 3))))
    assert math.isnan(one_best_accuracy(np.zeros((0, 3)), np.ones((0, 3))))
    assert np.isnan(recall(np.zeros((2, 3)), np.ones((2, 3)))).all()
    assert confusion(np.zeros((0, 2)), np.ones((0, 2))).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("targets", [[[1, 1], [0, 1]], [[0, 0], [0, 1]]])
def test_confusion_needs_single_labels(targets):
    with pytest.raises(UserError, match="exactly one true label"):
        confusion(targets, [[0.1, 0.2], [0.3, 0.4]])


def test_nan_scores_and_no_labels_are_refused():
    with pytest.raises(UserError, match="clip 1 is NaN"):
        one_best_accuracy(np.eye(2), [[0.1, 0.2], [0.9, np.nan]])
    with pytest.raises(UserError, match="no label"):
        one_best_accuracy(np.zeros((2, 0)), np.zeros((2, 0)))
