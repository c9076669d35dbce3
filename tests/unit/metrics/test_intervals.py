"""Bootstrap: a vector of counts must score as the set it stands for, and intervals must cover."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import UserError
from earmark.metrics import bootstrap, d_prime, intervals, one_best_accuracy, recall, score
from earmark.metrics.best import top_labels
from earmark.metrics.intervals import resample_counts, resampled_scores


def problem(n, c, seed, levels=None, single_label=False):
    draw = np.random.default_rng(seed)
    targets = np.eye(c, dtype=bool)[draw.integers(0, c, n)] if single_label else draw.random((n, c)) < 0.3
    scores = draw.standard_normal((n, c)) + targets
    return targets, scores if levels is None else np.round(scores * levels) / levels


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 25), st.integers(1, 5), st.integers(0, 2**32 - 1), st.sampled_from([None, 1, 3]), st.booleans())
def test_each_resample_scores_exactly_as_the_set_written_out(n, c, seed, levels, single_label):
    targets, scores = problem(n, c, seed, levels, single_label)
    truth, _, top = top_labels(targets, scores)
    (counts,) = resample_counts(np.arange(n), 6, seed)
    found = resampled_scores(truth, scores, top, counts)
    for r, times in enumerate(counts):
        clips = np.repeat(np.arange(n), times)
        assert len(clips) == n
        wanted = score(targets[clips], scores[clips])
        np.testing.assert_allclose(found.ap_RC[r], wanted.ap_C, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.auc_RC[r], wanted.auc_C, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.map_R[r], wanted.map, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.auc_R[r], wanted.auc, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.accuracy_R[r], one_best_accuracy(targets[clips], scores[clips]), atol=1e-12)
        np.testing.assert_allclose(found.recall_RC[r], recall(targets[clips], scores[clips]), rtol=0, atol=1e-12)


def test_intervals_are_the_percentiles_of_brute_force_resamples():
    targets, scores = problem(30, 4, 2, single_label=True)
    found = bootstrap(targets, scores, resamples=50, confidence=0.9, seed=9)
    (counts,) = resample_counts(np.arange(30), 50, 9)
    sets = [np.repeat(np.arange(30), times) for times in counts]
    scored = [score(targets[clips], scores[clips]) for clips in sets]
    for ends, values in (
        (found.map, [s.map for s in scored]),
        (found.auc, [s.auc for s in scored]),
        (found.accuracy, [one_best_accuracy(targets[clips], scores[clips]) for clips in sets]),
        (found.ap_C2[2], [s.ap_C[2] for s in scored]),
        (found.auc_C2[1], [s.auc_C[1] for s in scored]),
        (found.recall_C2[3], [recall(targets[clips], scores[clips])[3] for clips in sets]),
    ):
        np.testing.assert_allclose(ends, np.nanquantile(values, [0.05, 0.95]), atol=1e-12)
    assert found.d_prime == (d_prime(found.auc.low), d_prime(found.auc.high))
    np.testing.assert_array_equal(found.d_prime_C2, d_prime(found.auc_C2))


def test_groups_are_drawn_whole():
    groups = ["a", "b", "a", "c", "b", "a"]
    (counts,) = resample_counts(np.array([0, 1, 0, 2, 1, 0]), 200, 0)
    np.testing.assert_array_equal(counts[:, 0], counts[:, 2])
    np.testing.assert_array_equal(counts[:, 1], counts[:, 4])
    np.testing.assert_array_equal(counts[:, [0, 1, 3]].sum(axis=1), 3)
    targets, scores = problem(6, 2, 0, single_label=True)
    assert bootstrap(targets, scores, groups=groups, seed=1).map != bootstrap(targets, scores, seed=1).map


def test_grouped_intervals_are_wider_where_clips_of_a_group_agree():
    targets, scores = problem(40, 4, 3, single_label=True)
    repeated = np.repeat(np.arange(40), 10)
    alone = bootstrap(targets[repeated], scores[repeated]).accuracy
    grouped = bootstrap(targets[repeated], scores[repeated], groups=repeated.tolist()).accuracy
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_the_seed_fixes_the_intervals():
    targets, scores = problem(20, 3, 4)
    one, same, other = (bootstrap(targets, scores, resamples=100, seed=seed) for seed in (1, 1, 2))
    assert (one.map, one.auc, one.accuracy) == (same.map, same.auc, same.accuracy)
    assert one.map != other.map


def test_blocks_of_resamples_join_into_as_many_as_were_asked_for(monkeypatch):
    (whole,) = resample_counts(np.arange(20), 100, 0)
    monkeypatch.setattr(intervals, "BLOCK_COUNTS", 20 * 7)
    monkeypatch.setattr(intervals, "LEAST_RESAMPLES", 1)
    blocks = list(resample_counts(np.arange(20), 100, 0))
    assert [len(block) for block in blocks] == [7] * 14 + [2]
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    targets, scores = problem(20, 3, 4)
    found = bootstrap(targets, scores, resamples=100)
    assert found.map.low <= score(targets, scores).map <= found.map.high


def test_intervals_of_accuracy_match_the_normal_approximation():
    draw = np.random.default_rng(8)
    right = draw.random(400) < 0.8
    targets, scores = np.tile([1, 0], (400, 1)), np.stack([right, ~right], axis=1).astype(float)
    low, high = bootstrap(targets, scores, resamples=4000).accuracy
    share = right.mean()
    half = 1.96 * np.sqrt(share * (1 - share) / 400)
    assert low == pytest.approx(share - half, abs=0.006)
    assert high == pytest.approx(share + half, abs=0.006)


def test_perfect_scores_have_no_spread_and_absent_classes_no_interval():
    targets = np.zeros((12, 3), bool)
    targets[np.arange(12), np.arange(12) % 2] = True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = bootstrap(targets, targets.astype(np.float32), resamples=100)
    assert found.map == found.auc == found.accuracy == (1.0, 1.0)
    assert found.d_prime == (np.inf, np.inf)
    assert np.isnan(found.ap_C2[2]).all()
    assert np.isnan(found.auc_C2[2]).all()
    assert np.isnan(found.recall_C2[2]).all()


def test_integer_scores_are_ordered_as_numbers():
    targets, scores = problem(20, 3, 6)
    small = np.round((scores - scores.min()) * 10).astype(np.uint8)
    assert bootstrap(targets, small, resamples=50).auc == bootstrap(targets, small.astype(float), resamples=50).auc


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"groups": ["a"]}, "1 groups for 4 clips"),
        ({"confidence": 1.0}, "confidence must lie between"),
        ({"resamples": 0}, "resamples be at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, said):
    with pytest.raises(UserError, match=said):
        bootstrap(np.eye(4), np.eye(4), **arguments)


def test_no_clips_are_refused():
    with pytest.raises(UserError, match="no clips"):
        bootstrap(np.zeros((0, 2)), np.zeros((0, 2)))
