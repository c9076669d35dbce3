"""Pooling models over folds and seeds: against independent computations, and what must hold whatever the scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from earmark.config import EvaluateConfig
from earmark.errors import EarmarkError
from earmark.evaluation.members import ClipTable, Member, choose, choose_by_mean, passes_of, stack, unite
from earmark.evaluation.pool import pool

CONFIG = EvaluateConfig(bootstrap_resamples=200)
LABELS = 3


def clips(n=24, seed=0):
    """Targets of one label each, and groups of two clips."""
    draw = np.random.default_rng(seed)
    labels = np.r_[np.arange(n) % LABELS]
    draw.shuffle(labels)
    return np.eye(LABELS, dtype=np.float32)[labels], [f"g{i // 2}" for i in range(n)]


def guesses(targets_NC, passes, seed=1):
    """Scores that know something."""
    noise = np.random.default_rng(seed).normal(size=(passes, *targets_NC.shape))
    return (0.8 * targets_NC + noise).astype(np.float32)


def test_pooled_scores_are_what_scikit_learn_says():
    targets, groups = clips()
    scores = guesses(targets, 3)
    found = pool(targets, scores, groups, True, CONFIG, 0)
    ap = [np.mean([average_precision_score(targets[:, c], s[:, c]) for c in range(LABELS)]) for s in scores]
    auc = [roc_auc_score(targets, s, average="macro") for s in scores]
    right = [np.mean(s.argmax(axis=1) == targets.argmax(axis=1)) for s in scores]
    mean = scores.mean(axis=0)
    assert found.single["map"].value == pytest.approx(np.mean(ap))
    assert found.single["auc"].value == pytest.approx(np.mean(auc))
    assert found.single["accuracy"].value == pytest.approx(np.mean(right))
    assert found.ensemble["accuracy"].value == pytest.approx(np.mean(mean.argmax(axis=1) == targets.argmax(axis=1)))
    assert found.ensemble["auc"].value == pytest.approx(roc_auc_score(targets, mean, average="macro"))
    for name in ("auc", "map", "accuracy"):
        assert found.gain[name].value == pytest.approx(found.ensemble[name].value - found.single[name].value)
    assert np.allclose(found.scores_NC, mean, atol=1e-6)


def test_the_gains_interval_is_of_the_same_resampled_groups():
    targets, groups = clips()
    scores = guesses(targets, 2)
    found = pool(targets, scores, groups, True, CONFIG, seed=5)
    numbers = np.arange(len(groups)) // 2
    draw = np.random.default_rng(5)
    n_groups = numbers.max() + 1
    right = scores.argmax(axis=2) == targets.argmax(axis=1)
    together = scores.mean(axis=0).argmax(axis=1) == targets.argmax(axis=1)
    gains = []
    for drawn in draw.integers(0, n_groups, (CONFIG.bootstrap_resamples, n_groups)):
        rows = np.concatenate([np.flatnonzero(numbers == group) for group in drawn])
        gains.append(together[rows].mean() - right[:, rows].mean())
    low, high = np.quantile(gains, [0.025, 0.975])
    assert found.gain["accuracy"].low == pytest.approx(low)
    assert found.gain["accuracy"].high == pytest.approx(high)


@given(passes=st.integers(2, 4), seed=st.integers(0, 1000))
def test_models_that_are_the_same_gain_nothing_by_averaging(passes, seed):
    targets, groups = clips(12, seed)
    one = guesses(targets, 1, seed)
    alone = pool(targets, one, groups, True, EvaluateConfig(bootstrap_resamples=100), 0)
    found = pool(targets, np.repeat(one, passes, axis=0), groups, True, EvaluateConfig(bootstrap_resamples=100), 0)
    assert np.array_equal(found.scores_NC, alone.scores_NC)
    for name in ("auc", "map", "accuracy"):
        assert found.ensemble[name].value == pytest.approx(alone.single[name].value)
        assert found.single[name].value == pytest.approx(alone.single[name].value)
        assert (found.gain[name].low, found.gain[name].high) == pytest.approx((0, 0), abs=1e-12)


def test_one_pass_has_no_ensemble_and_many_labels_no_accuracy():
    targets, groups = clips()
    found = pool(targets, guesses(targets, 1), groups, False, CONFIG, 0)
    assert found.ensemble is None
    assert found.gain is None
    assert np.isnan(found.single["accuracy"].value)


def scored(members, targets_NC):
    """Test scores of models, fold by fold: clip n lies in fold n % 2."""
    found = {}
    for i, member in enumerate(members):
        rows = [n for n in range(len(targets_NC)) if not member.moves_test or str(n % 2) == member.fold]
        scores = guesses(targets_NC, 1, seed=i)[0][rows]
        found[member.variant] = ClipTable(
            tuple(f"clip{n:02d}" for n in rows), tuple((int(targets_NC[n].argmax()),) for n in rows), scores
        )
    return found


def models(network="net", moves_test=True):
    return [Member(f"{network}.{f}.{s}", network, f, s, moves_test) for s in (0, 1) for f in ("0", "1")]


@given(order=st.permutations(range(4)))
def test_the_order_of_folds_and_seeds_changes_nothing(order):
    targets, groups = clips(12)
    members = models()
    scores = scored(members, targets)
    group_of = {f"clip{n:02d}": group for n, group in enumerate(groups)}

    def pooled(own):
        tested = unite([scores[m.variant] for m in own], group_of, LABELS)
        return pool(tested.targets_NC, stack(passes_of(own), scores, tested), tested.groups, True, CONFIG, 0)

    one, other = pooled(members), pooled([members[i] for i in order])
    assert one.single == other.single
    assert one.ensemble == other.ensemble
    assert one.gain == other.gain


def test_folds_of_the_test_set_make_one_pass_a_seed_and_of_the_validation_part_one_each():
    assert [len(models) for models in passes_of(models())] == [2, 2]
    assert [len(models) for models in passes_of(models(moves_test=False))] == [1, 1, 1, 1]


def test_a_pass_with_a_fold_missing_is_not_pooled():
    targets, groups = clips(12)
    members = models()
    scores = scored(members, targets)
    tested = unite(list(scores.values()), {f"clip{n:02d}": g for n, g in enumerate(groups)}, LABELS)
    with pytest.raises(EarmarkError, match=r"net\.1\.0 do not score each of the 12 test clips once"):
        stack([[members[1]]], scores, tested)


def test_the_choice_is_by_validation_map_then_accuracy_then_name():
    a, b = models("a"), models("b")
    validation = {m.variant: {"map": 0.5, "accuracy": 0.5} for m in (*a, *b)}
    validation[b[0].variant] = {"map": 0.6, "accuracy": 0.1}
    validation[b[1].variant] = {"map": 0.5, "accuracy": 0.6}
    validation[b[2].variant] = {"map": None, "accuracy": None}
    chosen = {(m.seed, m.fold): m.network for m in choose([*b, *a], validation)}
    assert chosen == {(0, "0"): "b", (0, "1"): "b", (1, "0"): "a", (1, "1"): "a"}


@given(order=st.permutations(range(8)))
def test_the_choice_that_is_averaged_is_by_the_mean_over_the_seeds(order):
    members = [*models("a"), *models("b")]
    validation = {m.variant: {"map": 0.5, "accuracy": 0.5} for m in members}
    validation["a.0.0"] = {"map": 0.9, "accuracy": 0.5}
    validation["b.0.1"] = {"map": 0.95, "accuracy": 0.5}  # wins one seed, and the mean
    validation["a.1.1"] = {"map": None, "accuracy": None}  # a mean that is not defined comes last
    chosen = choose_by_mean([members[i] for i in order], validation)
    assert {(m.fold, m.network) for m in chosen} == {("0", "b"), ("1", "b")}
    assert len(chosen) == 4
    assert choose([members[i] for i in order], validation)[0].network == "a"


def test_the_average_may_be_of_other_passes_than_the_single_models():
    targets, groups = clips()
    single, averaged = guesses(targets, 2, 1), guesses(targets, 2, 2)
    found = pool(targets, single, groups, True, CONFIG, 0, averaged)
    one, other = (pool(targets, each, groups, True, CONFIG, 0) for each in (single, averaged))
    assert found.single == one.single
    assert found.ensemble == other.ensemble
    assert found.gain["map"].value == pytest.approx(other.ensemble["map"].value - one.single["map"].value)
