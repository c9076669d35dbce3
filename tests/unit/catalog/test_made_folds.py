"""Folds made of data that names none: groups whole, labels spread evenly, the same whatever the order of the clips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.catalog.folds import read_folds
from earmark.catalog.grouped import Grouped
from earmark.catalog.made_folds import made_names, make_folds
from earmark.catalog.splits import group_units
from earmark.config import DataConfig
from earmark.errors import UserError

LABELS = ["bark", "meow", "rain"]


@st.composite
def single_label(draw, sizes=None):
    """Clips as (group, [label]): five to twelve groups a label."""
    sizes = st.integers(1, 5) if sizes is None else sizes
    clips = []
    for label in range(len(LABELS)):
        for group in draw(st.sets(st.integers(0, 10_000), min_size=5, max_size=12)):
            clips += [(f"{label}-{group}", [label])] * draw(sizes)
    return clips


@st.composite
def multi_label(draw):
    """Clips as (group, labels), groups of mixed labels; each label in five groups of its own at least."""
    labels = st.sets(st.integers(0, 2), min_size=1).map(sorted)
    clips = [(f"g{draw(st.integers(0, 20))}", draw(labels)) for _ in range(draw(st.integers(0, 40)))]
    return clips + [(f"h{label}-{at}", [label]) for label in range(3) for at in range(5)]


def made(clips, count, ties=()):
    grouped = Grouped.of([group for group, _ in clips], [labels for _, labels in clips], LABELS)
    tied = grouped.tied(ties)
    return make_folds(tied, group_units(tied, grouped, "fold"), count)


def clips_of(clips, folds, label, count):
    return [
        sum(f == name and label in ls for (_, ls), f in zip(clips, folds, strict=True)) for name in made_names(count)
    ]


@given(st.one_of(single_label(), multi_label()), st.integers(2, 5))
def test_no_group_is_in_two_folds_and_every_clip_is_in_one(clips, count):
    folds = made(clips, count)
    by_group = {}
    for (group, _), fold in zip(clips, folds, strict=True):
        assert fold in made_names(count)
        assert by_group.setdefault(group, fold) == fold


@given(single_label(), st.integers(2, 5))
def test_the_folds_clips_of_a_label_differ_by_its_largest_group_at_most(clips, count):
    folds = made(clips, count)
    for label in range(len(LABELS)):
        sizes = clips_of(clips, folds, label, count)
        groups = [group for group, labels in clips if labels == [label]]
        assert min(sizes) > 0
        assert max(sizes) - min(sizes) <= max(groups.count(group) for group in groups)


@given(single_label(sizes=st.just(1)), st.integers(2, 5))
def test_labels_and_clips_are_spread_evenly_where_every_clip_is_its_own_group(clips, count):
    folds = made(clips, count)
    for label in range(len(LABELS)):
        sizes = clips_of(clips, folds, label, count)
        assert max(sizes) - min(sizes) <= 1
    totals = [folds.count(name) for name in made_names(count)]
    assert max(totals) - min(totals) <= 1


@given(st.one_of(single_label(), multi_label()), st.integers(2, 5), st.randoms(use_true_random=False))
def test_the_order_of_clips_does_not_matter(clips, count, random):
    order = list(range(len(clips)))
    random.shuffle(order)
    folds = made(clips, count)
    assert made([clips[at] for at in order], count) == [folds[at] for at in order]


@given(single_label(), st.data())
def test_clips_of_one_sound_stay_together(clips, data):
    one, other = (data.draw(st.integers(0, len(clips) - 1)) for _ in range(2))
    clips = clips + [(f"extra-{label}-{at}", [label]) for label in range(3) for at in range(5)]
    folds = made(clips, 3, [(one, other)])
    assert folds[one] == folds[other]


def test_more_folds_than_a_label_has_groups_are_refused():
    clips = [(f"{label}-{at}", [label]) for label in range(3) for at in range(6 - label)]
    with pytest.raises(UserError, match="label 'rain' has 4 groups of clips, and 5 folds need one each"):
        made(clips, 5)


def test_every_clip_is_test_in_one_of_the_made_folds_and_a_doubled_sound_in_one_only(steps, write, noise):
    for seed in range(9):
        write(f"cat/{seed}.wav", noise(seed))
        root = write(f"dog/{seed}.wav", noise(100 + seed))
    write("cat/again.wav", noise(3), subtype="FLOAT")
    write("cat/3.wav", noise(3), subtype="FLOAT")
    tests = [steps(root, make_folds=3, test_folds=(fold,)).splits for fold in made_names(3)]
    assert all(set(found) == set(tests[0]) for found in tests)
    assert len(tests[0]) == 18
    for clip in tests[0]:
        assert sorted(found[clip] == "test" for found in tests) == [False, False, True]
    for found in tests:
        counts = np.unique([f"{clip[:3]} {split}" for clip, split in found.items()], return_counts=True)
        assert dict(zip(*map(np.ndarray.tolist, counts), strict=True)) == {
            f"{label} {split}": n
            for label in ("cat", "dog")
            for split, n in zip(("test", "train", "validation"), (3, 5, 1), strict=True)
        }


def test_data_that_is_split_already_is_not_cut_into_folds(steps, write, noise):
    for seed in range(4):
        for label in ("cat", "dog"):
            for split in ("train", "test"):
                root = write(f"{split}/{label}/{seed}.wav", noise(f"{split}{label}{seed}".__hash__() % 2**32))
    with pytest.raises(UserError, match="the data gives splits"):
        steps(root, make_folds=2)


def test_folds_are_read_from_the_csv_and_those_that_only_test_clips_have_do_not_take_turns(write, noise):
    for name in ("a", "b", "c"):
        root = write(f"{name}.wav", noise(1))
    write("clips.csv", "file,label,fold\na.wav,x,10\nb.wav,y,9\nc.wav,x,9\n")
    found = read_folds(str(root), DataConfig())
    assert (found.names, found.has_test, found.has_splits) == (("9", "10"), False, False)
    write("clips.csv", "file,label,fold,split\na.wav,x,10,train\nb.wav,y,9,dev\nc.wav,x,evaluation,test\n")
    found = read_folds(str(root), DataConfig())
    assert (found.names, found.has_test, found.has_splits) == (("9", "10"), True, True)
    write("clips.csv", "file,label\na.wav,x\nb.wav,y\nc.wav,x\n")
    assert read_folds(str(root), DataConfig()).names == ()
