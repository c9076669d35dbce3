"""AP and AUC against scikit-learn, d-prime against the paper's pairs."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, roc_auc_score

from earmark.errors import UserError
from earmark.metrics import d_prime, ranking, score, score_blocks


@st.composite
def problems(draw, dtype=np.float64):
    """Targets and scores with many ties, constant columns, empty, full and single-positive classes."""
    n, c = draw(st.integers(2, 40)), draw(st.integers(1, 6))
    levels = draw(st.sampled_from([1, 2, 5, 1000]))
    scores = draw(hnp.arrays(np.int64, (n, c), elements=st.integers(0, levels))).astype(dtype) / levels
    targets = draw(hnp.arrays(np.bool_, (n, c)))
    for column in range(c):
        kind = draw(st.sampled_from(["as drawn", "none", "all", "one"]))
        if kind != "as drawn":
            targets[:, column] = kind == "all"
        if kind == "one":
            targets[draw(st.integers(0, n - 1)), column] = True
    return targets, scores


def sklearn_per_class(targets, scores):
    ap, auc = [], []
    for truth, s in zip(targets.T, scores.T, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ap.append(average_precision_score(truth, s) if truth.any() else math.nan)
            auc.append(roc_auc_score(truth, s) if truth.any() and not truth.all() else math.nan)
    return np.array(ap), np.array(auc)


@settings(max_examples=200, deadline=None)
@given(st.one_of(problems(), problems(np.float32)))
def test_ap_and_auc_are_scikit_learns(problem):
    targets, scores = problem
    found = score(targets, scores)
    ap, auc = sklearn_per_class(targets, scores)
    np.testing.assert_allclose(found.ap_C, ap, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.auc_C, auc, rtol=0, atol=1e-12)
    kept = ~np.isnan(auc)
    assert found.skipped == tuple(np.flatnonzero(~kept))
    np.testing.assert_array_equal(found.positives_C, targets.sum(axis=0))
    if kept.any():
        assert found.map == pytest.approx(ap[kept].mean(), abs=1e-12)
        assert found.auc == pytest.approx(auc[kept].mean(), abs=1e-12)
    else:
        assert math.isnan(found.map)
        assert math.isnan(found.auc)
        assert math.isnan(found.d_prime)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_continuous_scores_of_many_clips_agree_with_scikit_learn(dtype):
    draw = np.random.default_rng(5)
    targets = draw.random((3000, 7)) < [0.5, 0.1, 0.01, 0.001, 0.9, 0.3, 0.02]
    scores = (draw.standard_normal((3000, 7)) + targets).astype(dtype)
    found = score(targets.astype(np.float32), scores)
    ap, auc = sklearn_per_class(targets, scores)
    np.testing.assert_allclose(found.ap_C, ap, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.auc_C, auc, rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(0, 2**32 - 1))
def test_neither_the_order_of_clips_nor_a_rising_transform_matters(problem, seed):
    targets, scores = problem
    order = np.random.default_rng(seed).permutation(len(scores))
    plain = score(targets, scores)
    for same in (score(targets[order], scores[order]), score(targets, np.exp(3 * scores) - 7)):
        np.testing.assert_allclose(same.ap_C, plain.ap_C, rtol=0, atol=1e-15)
        np.testing.assert_array_equal(same.auc_C, plain.auc_C)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_turning_scores_round_turns_auc_round(problem):
    targets, scores = problem
    np.testing.assert_allclose(score(targets, -scores).auc_C, 1 - score(targets, scores).auc_C, atol=1e-15)


def test_a_constant_score_gives_the_prior_and_a_half():
    targets = np.arange(40)[:, None] < [10]
    found = score(targets, np.full((40, 1), 0.3))
    assert (found.map, found.auc, found.d_prime) == (0.25, 0.5, 0.0)


def test_perfect_scores_give_one_one_and_infinity():
    found = score(np.eye(4), np.eye(4))
    assert (found.map, found.auc, found.d_prime) == (1.0, 1.0, math.inf)


def test_a_class_with_every_clip_has_an_ap_but_is_not_averaged():
    found = score([[1, 1, 0], [1, 0, 0]], [[0.2, 0.9, 0.1], [0.3, 0.1, 0.4]])
    assert found.skipped == (0, 2)
    assert found.ap_C[0] == 1.0
    assert np.isnan(found.ap_C[2])
    assert (found.map, found.auc) == (1.0, 1.0)


def test_blocks_of_classes_change_nothing(monkeypatch):
    draw = np.random.default_rng(1)
    targets, scores = draw.random((50, 11)) < 0.2, draw.random((50, 11))
    whole = score(targets, scores)
    monkeypatch.setattr(ranking, "BLOCK_BYTES", 50 * 8 * 3)
    monkeypatch.setattr(ranking, "BLOCK_CLASSES", 1)
    parts = score(targets, scores)
    np.testing.assert_array_equal(whole.ap_C, parts.ap_C)
    np.testing.assert_array_equal(whole.auc_C, parts.auc_C)


def test_scores_that_come_in_blocks_are_scored_as_one():
    draw = np.random.default_rng(4)
    targets, scores = draw.random((60, 9)) < 0.3, draw.integers(0, 20, (60, 9)).astype(np.float32)
    whole = score(targets, scores)
    found = score_blocks((targets[:, part], scores[:, part]) for part in (slice(0, 2), slice(2, 9)))
    np.testing.assert_array_equal(found.ap_C, whole.ap_C)
    np.testing.assert_array_equal(found.auc_C, whole.auc_C)
    assert (found.map, found.skipped, found.clips) == (whole.map, whole.skipped, 60)
    with pytest.raises(UserError, match="a block of scores is of 59 clips and the first of 60"):
        score_blocks([(targets, scores), (targets[1:], scores[1:])])
    with pytest.raises(UserError, match="a score of class 10 is NaN"):
        score_blocks([(targets, scores), (targets, np.where(np.arange(9) == 1, np.nan, scores))])


@pytest.mark.parametrize("classes", [1, 3])
def test_the_callers_arrays_stay_as_they_were(classes):
    draw = np.random.default_rng(2)
    targets, scores = draw.random((20, classes)) < 0.4, draw.random((20, classes))
    before = targets.copy(), scores.copy()
    score(targets, scores)
    score(np.asfortranarray(targets), np.asfortranarray(scores))
    np.testing.assert_array_equal(targets, before[0])
    np.testing.assert_array_equal(scores, before[1])


def test_half_precision_and_integers_are_taken():
    targets = np.array([[1, 0], [0, 1], [1, 0]])
    half = np.array([[0.9, 0.2], [0.5, 0.6], [0.7, 0.6]], np.float16)
    assert score(targets, half).auc_C.tolist() == [1.0, 0.75]
    assert score(targets, [[3, 0], [1, 1], [2, 1]]).auc_C.tolist() == [1.0, 0.75]


def test_no_clips_skip_every_class():
    found = score(np.zeros((0, 3)), np.zeros((0, 3)))
    assert found.skipped == (0, 1, 2)
    assert math.isnan(found.map)


@pytest.mark.parametrize(
    ("targets", "scores", "said"),
    [
        (np.zeros((3, 2)), np.zeros((3, 3)), "must be two tables of one shape"),
        (np.zeros(3), np.zeros(3), "must be two tables of one shape"),
        ([[1], [0.5]], [[0.1], [0.2]], "targets must be 0 or 1"),
        ([[1], [np.nan]], [[0.1], [0.2]], "targets must be 0 or 1"),
        ([[1, 0], [0, 1]], [[0.1, 0.0], [0.2, np.nan]], "a score of class 1 is NaN"),
        ([[1], [0]], [["a"], ["b"]], "scores must be real numbers"),
    ],
)
def test_what_cannot_be_scored_is_refused(targets, scores, said):
    with pytest.raises(UserError, match=said):
        score(targets, scores)


@pytest.mark.parametrize(("auc", "expected"), [(0.851, 1.472), (0.926, 2.046), (0.930, 2.087), (0.959, 2.460)])
def test_d_prime_of_the_papers_aucs(auc, expected):
    assert round(d_prime(auc), 3) == expected


def test_d_prime_is_computed_from_the_mean_auc():
    targets = np.array([[1, 0], [0, 1], [0, 0], [1, 1]])
    found = score(targets, [[0.9, 0.4], [0.5, 0.3], [0.7, 0.6], [0.6, 0.2]])
    assert found.d_prime == d_prime(found.auc)
    assert found.d_prime != pytest.approx(found.d_prime_C.mean())


def test_d_prime_at_the_ends_and_beyond():
    assert (d_prime(1.0), d_prime(0.0), d_prime(0.5)) == (math.inf, -math.inf, 0.0)
    assert math.isnan(d_prime(math.nan))
    assert d_prime(np.array([[0.5, 1.0]])).tolist() == [[0.0, math.inf]]
    with pytest.raises(UserError, match="between 0 and 1"):
        d_prime(1.1)
