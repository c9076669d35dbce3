"""Splits: leakage-safe, sticky, stratified, deterministic, whatever the order of the clips."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.catalog.grouped import Grouped
from earmark.catalog.splits import (
    SPLITS,
    TEST,
    TRAIN,
    VALIDATION,
    check_folds,
    check_groups,
    given_splits,
    hash_unit,
    natural,
    split_clips,
)
from earmark.config import DataConfig
from earmark.errors import UserError

LABELS = ["bark", "meow", "rain"]


@st.composite
def single_label(draw):
    """Clips as (group, [label]): three to nine groups a label, one to three clips a group."""
    clips = []
    for label in range(len(LABELS)):
        for group in draw(st.sets(st.integers(0, 10_000), min_size=3, max_size=9)):
            clips += [(f"{label}-{group}", [label])] * draw(st.integers(1, 3))
    return clips


@st.composite
def multi_label(draw):
    """Clips as (group, labels), groups holding clips of different labels; each label in four groups at least."""
    labels = st.sets(st.integers(0, 2), min_size=1).map(sorted)
    clips = [(f"g{draw(st.integers(0, 20))}", draw(labels)) for _ in range(draw(st.integers(0, 40)))]
    return clips + [(f"h{label}-{at}", [label]) for label in range(3) for at in range(4)]


def split(clips, given_N=None, ties=(), usable=None, **config):
    grouped = Grouped.of([group for group, _ in clips], [labels for _, labels in clips], LABELS)
    usable_N = np.ones(len(clips), bool) if usable is None else np.array(usable)
    return split_clips(grouped, grouped.tied(ties), usable_N, given_N, DataConfig(**config))


def groups_in(clips, splits, wanted, label=None):
    return {
        g for (g, labels), s in zip(clips, splits, strict=True) if s == wanted and (label is None or label in labels)
    }


@given(st.one_of(single_label(), multi_label()), st.floats(0, 1), st.floats(0, 1))
def test_no_group_is_in_two_splits(clips, test_share, validation_share):
    splits = split(clips, test_share=test_share, validation_share=validation_share)
    by_group = {}
    for (group, _), at in zip(clips, splits.tolist(), strict=True):
        assert by_group.setdefault(group, at) == at


@given(single_label(), st.floats(0, 1), st.floats(0, 1))
def test_every_label_is_in_every_split_whatever_the_shares(clips, test_share, validation_share):
    splits = split(clips, test_share=test_share, validation_share=validation_share)
    for label in range(len(LABELS)):
        for at in range(len(SPLITS)):
            assert groups_in(clips, splits, at, label), f"{LABELS[label]} is not in {SPLITS[at]}"


@given(multi_label(), st.floats(0, 1), st.floats(0, 1))
def test_every_label_can_be_learnt_where_clips_have_several(clips, test_share, validation_share):
    splits = split(clips, test_share=test_share, validation_share=validation_share)
    for label in range(len(LABELS)):
        assert groups_in(clips, splits, TRAIN, label)


@given(st.one_of(single_label(), multi_label()), st.randoms(use_true_random=False))
def test_the_order_of_clips_does_not_matter(clips, random):
    order = list(range(len(clips)))
    random.shuffle(order)
    shuffled = split([clips[at] for at in order])
    assert shuffled.tolist() == split(clips)[order].tolist()


@given(single_label(), single_label())
def test_what_is_test_by_hash_stays_test_as_data_grows(clips, more):
    before, after = split(clips), split(clips + more)
    by_hash = {group for group, _ in clips if hash_unit(group, "test") < DataConfig().test_share}
    kept_back = {g for g in by_hash if g not in groups_in(clips, before, TEST)}
    again = groups_in(clips + more, after, TEST)
    for group in by_hash - kept_back:
        label = next(labels[0] for g, labels in clips if g == group)
        others = {g for g, labels in clips + more if labels == [label]} - by_hash
        assert group in again or len([g for g in others if g not in again]) < 2


def test_growth_moves_no_test_clip_where_each_label_has_enough():
    clips = [(f"{label}-{group}", [label]) for label in range(3) for group in range(200)]
    before, after = split(clips[::2]), split(clips)
    assert groups_in(clips[::2], before, TEST) == groups_in(clips, after, TEST) & {group for group, _ in clips[::2]}


def test_shares_are_about_met_for_each_label():
    clips = [(f"{label}-{group}", [label]) for label in range(3) for group in range(1000)]
    splits = split(clips)
    for label in range(3):
        test = len(groups_in(clips, splits, TEST, label))
        assert test == pytest.approx(200, abs=40)
        assert len(groups_in(clips, splits, VALIDATION, label)) == round(0.15 * (1000 - test))


def test_hashes_are_fixed_for_ever():
    assert hash_unit("100032", "test") == pytest.approx(0.4475395733445611, abs=1e-15)


def test_hashes_for_test_and_validation_are_independent():
    pairs = np.array([[hash_unit(str(at), "test"), hash_unit(str(at), "validation")] for at in range(2000)])
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.1


@settings(max_examples=50)
@given(single_label(), st.data())
def test_tied_groups_stay_together(clips, data):
    one, other = (data.draw(st.integers(0, len(clips) - 1)) for _ in range(2))
    clips = clips + [(f"extra-{label}-{at}", [label]) for label in range(3) for at in range(4)]
    splits = split(clips, ties=[(one, other)])
    assert splits[one] == splits[other]


def test_a_test_group_stays_test_when_another_is_tied_to_it():
    clips = [(f"{label}-{group}", [label]) for label in range(3) for group in range(50)]
    alone = split(clips)
    test, train = alone.tolist().index(TEST), alone.tolist().index(TRAIN)
    tied = split(clips, ties=[(test, train)])
    assert tied[test] == tied[train] == TEST


def test_clips_left_out_do_not_count_as_a_labels_test_group():
    clips = [(f"{label}-{group}", [label]) for label in range(3) for group in range(6)]
    first = split(clips)
    usable = [not (labels == [0] and at == TEST) for (_, labels), at in zip(clips, first.tolist(), strict=True)]
    again = split(clips, usable=usable)
    kept = [(clip, at) for clip, at, ok in zip(clips, again.tolist(), usable, strict=True) if ok]
    assert any(at == TEST and labels == [0] for (_, labels), at in kept)


def test_folds_make_the_last_one_test_in_the_order_people_count():
    folds = ["1", "9", "10", "2"]
    assert given_splits([None] * 4, folds, ()).tolist() == [TRAIN, TRAIN, TEST, TRAIN]
    assert given_splits([None] * 4, folds, ("1", "2")).tolist() == [TEST, TRAIN, TRAIN, TEST]


def test_given_splits_come_before_folds_and_named_test_folds_before_both():
    splits, folds = ["train", "validation", "test"], ["3", "2", "1"]
    assert given_splits(splits, folds, ()).tolist() == [TRAIN, VALIDATION, TEST]
    assert given_splits(splits, folds, ("2",)).tolist() == [TRAIN, TEST, TRAIN]
    assert given_splits([None] * 3, [None] * 3, ()) is None


def test_given_validation_is_not_cut_again():
    clips = [(f"{label}-{group}", [label]) for label in range(3) for group in range(4)]
    given_N = np.array([TRAIN, TRAIN, VALIDATION, TEST] * 3, np.int8)
    assert split(clips, given_N).tolist() == given_N.tolist()


def test_validation_is_cut_from_train_and_leaves_test_alone():
    clips = [(f"{label}-{group}", [label]) for label in range(3) for group in range(10)]
    given_N = np.array([TRAIN] * 7 + [TEST] * 3, np.int8)[[at % 10 for at in range(30)]]
    splits = split(clips, given_N)
    assert ((splits == TEST) == (given_N == TEST)).all()
    assert [len(groups_in(clips, splits, VALIDATION, label)) for label in range(3)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: given_splits([None] * 2, ["1", "1"], ()), ["all folds (1)", "test_folds"]),
        (lambda: given_splits(["train", "validation"], [None] * 2, ()), ["no clip into test"]),
        (lambda: given_splits(["test", "validation"], [None] * 2, ()), ["no clip into train"]),
        (
            lambda: check_folds(DataConfig(test_folds=("fold-11",)), ["fold-1", "fold-2"]),
            ["fold-11", "did you mean 'fold-1'"],
        ),
        (lambda: check_folds(DataConfig(test_folds=("3",)), []), ["'3'", "no folds", "leave it out"]),
    ],
)
def test_splits_that_cannot_be_are_refused(call, words):
    with pytest.raises(UserError) as error:
        call()
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("given_N", "words"),
    [
        (None, ["'meow'", "2 groups", "train, validation and test", "add clips"]),
        ([TRAIN, TRAIN, TEST, TRAIN, TEST], ["'meow'", "1 group of clips in train", "train and validation"]),
        ([TRAIN, TRAIN, TEST, TEST, TEST], ["'meow'", "no clip in train", "only in test"]),
    ],
)
def test_a_label_with_too_few_groups_is_named(given_N, words):
    grouped = Grouped.of(["a", "b", "c", "d", "e"], [[0], [0], [0], [1], [1]], ["bark", "meow"])
    with pytest.raises(UserError) as error:
        check_groups(grouped, None if given_N is None else np.array(given_N, np.int8))
    for word in words:
        assert word in str(error.value)


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_natural_order_of_numbers_with_a_name(numbers):
    assert natural([f"fold{number}" for number in numbers]) == [f"fold{number}" for number in sorted(numbers)]


def test_validation_folds_take_from_train_and_leave_test_alone():
    splits, folds = ["train", "train", "validation", "test"], ["1", "2", "3", "1"]
    rotated = given_splits(splits, folds, (), ("1",)).tolist()
    assert rotated == [VALIDATION, TRAIN, TRAIN, TEST]
    assert given_splits([None] * 4, folds, (), ("3",)).tolist() == [TRAIN, TEST, VALIDATION, TRAIN]
    assert given_splits([None] * 4, folds, ("1",), ("2",)).tolist() == [TEST, VALIDATION, TRAIN, TEST]


@pytest.mark.parametrize(
    ("config", "folds", "words"),
    [
        ({"validation_folds": ("fol2",)}, ["fold1", "fold2"], ["validation_folds", "did you mean 'fold2'"]),
        ({"test_folds": ("1",), "validation_folds": ("1",)}, ["1", "2"], ["'1'", "leave one out"]),
        ({"make_folds": 3}, ["1", "2"], ["make_folds is 3", "1, 2", "leave it out"]),
        ({"make_folds": 3, "test_folds": ("4",)}, [], ["unknown fold", "'4'", "1, 2, 3"]),
    ],
)
def test_folds_that_cannot_be_are_refused(config, folds, words):
    with pytest.raises(UserError) as error:
        check_folds(DataConfig(**config), folds)
    for word in words:
        assert word in str(error.value)


def test_columns_are_grouped_as_lists_are():
    groups, labels = ["é", "b", "é", "a", "Z"], [[2, 0], [], [1], [0, 1], [2]]
    columns = pa.chunked_array([pa.array(groups[:2]), pa.array(groups[2:])]), pa.array(labels, pa.list_(pa.int32()))
    found, expected = Grouped.of_columns(*columns, list("xyz")), Grouped.of(groups, labels, list("xyz"))
    assert (found.groups, found.labels) == (expected.groups, expected.labels)
    for name in ("group_N", "clip_M", "label_M"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
