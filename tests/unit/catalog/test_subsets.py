"""Parts of a dataset: free of the clips' order, nested, every label there, as many a label as was asked for."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.catalog.subsets import at_least, balanced, most_frequent, nested_share

LABELS = 5
sets_of_labels = st.lists(st.sets(st.integers(0, LABELS - 1), min_size=1).map(sorted), min_size=1, max_size=60)
single_labels = st.lists(st.integers(0, LABELS - 1).map(lambda label: [label]), min_size=1, max_size=60)
many_labels = st.one_of(sets_of_labels, single_labels)

CHOICES = {
    "share": lambda keys, labels: nested_share(keys, labels, LABELS, 0.3),
    "at_least": lambda keys, labels: at_least(keys, labels, LABELS, 3),
    "balanced": lambda keys, labels: balanced(keys, labels, LABELS, 3, 1.5),
}


def keys_of(labels):
    return [f"clip {number}" for number in range(len(labels))]


def clips_of(labels, chosen=None):
    kept = [found for at, found in enumerate(labels) if chosen is None or chosen[at]]
    return np.bincount([label for found in kept for label in found], minlength=LABELS)


@pytest.mark.parametrize("choice", CHOICES)
@given(labels=many_labels, seed=st.integers(0, 99))
def test_the_order_of_the_clips_means_nothing(choice, labels, seed):
    keys, order = keys_of(labels), np.random.default_rng(seed).permutation(len(labels))
    chosen = CHOICES[choice](keys, labels)
    shuffled = CHOICES[choice]([keys[at] for at in order], [labels[at] for at in order])
    assert shuffled.tolist() == chosen[order].tolist()


@given(many_labels, st.floats(0.001, 1), st.floats(0.001, 1))
def test_smaller_shares_are_parts_of_larger_ones_and_have_every_label(labels, one, other):
    small, large = (nested_share(keys_of(labels), labels, LABELS, share) for share in sorted((one, other)))
    assert not (small & ~large).any()
    assert (clips_of(labels, small) > 0).tolist() == (clips_of(labels) > 0).tolist()
    assert math.ceil(min(one, other) * len(labels)) <= small.sum() <= math.ceil(min(one, other) * len(labels)) + LABELS


@given(single_labels, st.floats(0.05, 1))
def test_a_share_takes_about_that_share_of_each_label(labels, share):
    chosen = clips_of(labels, nested_share(keys_of(labels), labels, LABELS, share))
    assert (np.abs(chosen - share * clips_of(labels)) <= 2).all()


@given(many_labels, st.integers(1, 6), st.integers(1, 6))
def test_each_label_has_so_many_clips_or_all_and_fewer_are_parts_of_more(labels, one, other):
    few, many = sorted((one, other))
    chosen = {count: at_least(keys_of(labels), labels, LABELS, count) for count in (few, many)}
    assert not (chosen[few] & ~chosen[many]).any()
    for count in (few, many):
        assert (clips_of(labels, chosen[count]) >= np.minimum(count, clips_of(labels))).all()


@given(single_labels, st.integers(1, 6))
def test_at_least_so_many_of_clips_with_one_label_is_exactly_so_many(labels, count):
    chosen = at_least(keys_of(labels), labels, LABELS, count)
    assert clips_of(labels, chosen).tolist() == np.minimum(count, clips_of(labels)).tolist()


@given(many_labels, st.integers(1, 6), st.floats(1, 4))
def test_a_balanced_set_has_so_many_of_each_label_or_all_there_are(labels, count, cap):
    chosen = balanced(keys_of(labels), labels, LABELS, count, cap)
    assert (clips_of(labels, chosen) >= np.minimum(count, clips_of(labels))).all()


@given(single_labels, st.integers(1, 6))
def test_a_balanced_set_of_clips_with_one_label_is_exactly_even(labels, count):
    chosen = balanced(keys_of(labels), labels, LABELS, count, 3.0)
    assert clips_of(labels, chosen).tolist() == np.minimum(count, clips_of(labels)).tolist()


@given(st.integers(2, 6), st.floats(1, 3), st.integers(0, 99))
def test_no_label_goes_over_the_cap_where_others_can_do_without_its_clips(count, cap, seed):
    """Label 0 comes with every other one, but each of these has enough clips of its own."""
    labels = [[0, label] for label in range(1, LABELS) for _ in range(20)]
    labels += [[label] for label in range(LABELS) for _ in range(10)]
    order = np.random.default_rng(seed).permutation(len(labels))
    labels = [labels[at] for at in order]
    counts = clips_of(labels, balanced(keys_of(labels), labels, LABELS, count, cap))
    assert counts[0] < cap * count + 1
    assert (counts[1:] >= count).all()


@given(many_labels, st.integers(1, LABELS))
def test_the_most_frequent_labels_have_no_fewer_clips_than_any_other(labels, count):
    found, clips = most_frequent(labels, LABELS, count), clips_of(labels)
    others = [clips[label] for label in range(LABELS) if label not in found]
    assert found == sorted(set(found))
    assert len(found) == count
    assert min(clips[found]) >= max(others, default=0)
