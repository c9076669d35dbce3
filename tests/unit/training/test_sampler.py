"""Batches are a pure function of (seed, step), uniform over the eligible patches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.training.sampler import (
    PATCH_FRAMES,
    Sampler,
    balanced,
    eligible_patches,
    permute,
    step_generator,
)


@given(size=st.integers(1, 3000), seed=st.integers(0, 2**63), epoch=st.integers(0, 10**6))
def test_permute_is_a_permutation(size, seed, epoch):
    assert np.array_equal(np.sort(permute(np.arange(size), size, seed, epoch)), np.arange(size))


def test_permutations_of_epochs_and_seeds_are_unrelated():
    base = permute(np.arange(10_000), 10_000, 0, 0)
    for seed, epoch in [(0, 1), (1, 0)]:
        other = permute(np.arange(10_000), 10_000, seed, epoch)
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.05
        assert (base == other).sum() < 10


def test_permute_takes_a_range_far_beyond_memory():
    found = permute(np.arange(1000), 20_000_000_000, 3, 0)
    assert len(set(found.tolist())) == 1000
    assert found.max() < 20_000_000_000
    assert abs(found.mean() / 10_000_000_000 - 1) < 0.1


@given(
    rows=st.lists(st.integers(96, 700), min_size=1, max_size=30),
    seed=st.integers(0, 2**32),
    random_offset=st.booleans(),
    data=st.data(),
)
def test_an_epoch_takes_every_patch_once_and_stays_inside_its_clip(rows, seed, random_offset, data):
    rows_K = np.array(rows)
    sampler_size = int((rows_K // 96).sum())
    batch_size = data.draw(st.sampled_from([b for b in range(1, sampler_size + 1) if sampler_size % b == 0]))
    sampler = Sampler(eligible_patches(rows_K, None, random_offset), batch_size, seed)
    batches = [sampler.batch(step) for step in range(sampler_size // batch_size)]
    clips, starts = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    assert np.array_equal(np.bincount(clips, minlength=len(rows)), rows_K // 96)
    assert (starts >= 0).all()
    assert (starts + PATCH_FRAMES <= rows_K[clips]).all()
    if not random_offset:
        assert (starts % 96 == 0).all()
        assert len(set(zip(clips.tolist(), starts.tolist(), strict=True))) == sampler_size


def test_a_batch_is_a_function_of_seed_and_step_alone():
    def sampler(seed):
        return Sampler(eligible_patches(np.full(40, 480), None, True), 64, seed)

    ahead = sampler(5)
    for step in range(7):
        ahead.batch(step)
    for resumed, undisturbed in zip(sampler(5).batch(7), ahead.batch(7), strict=True):
        assert np.array_equal(resumed, undisturbed)
    assert not np.array_equal(sampler(6).batch(7)[0], ahead.batch(7)[0])


def test_random_offsets_are_uniform_over_the_starts_of_a_clip():
    sampler = Sampler(eligible_patches(np.full(40, 480), None, True), 200, 0)
    starts = np.concatenate([sampler.batch(step)[1] for step in range(100)])
    counts = np.bincount(starts, minlength=385)
    chi2 = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
    assert len(counts) == 385
    assert chi2 / 384 < 1.2


@settings(max_examples=40)
@given(
    silent=st.lists(st.lists(st.booleans(), min_size=96, max_size=250), min_size=1, max_size=4),
    share=st.floats(0.0, 0.99),
    random_offset=st.booleans(),
)
def test_silent_patches_are_skipped_where_the_clip_has_others(silent, share, random_offset):
    silent_K = [np.array(s) for s in silent]
    rows_K = np.array([len(s) for s in silent_K])
    sound_S = [
        silent_T[start : start + 96].mean() <= share for silent_T in silent_K for start in range(len(silent_T) - 95)
    ]
    patches = eligible_patches(rows_K, np.array(sound_S), random_offset)
    assert set(patches.clip_P.tolist()) == set(range(len(silent_K)))
    clips, starts = Sampler(patches, len(patches), 1).batch(0)
    for clip, start in zip(clips, starts, strict=True):
        frames = silent_K[clip]
        possible = range(len(frames) - 95) if random_offset else range(0, len(frames) - 95, 96)
        has_other = any(frames[s : s + 96].mean() <= share for s in possible)
        assert frames[start : start + 96].mean() <= share or not has_other


@pytest.mark.parametrize("random_offset", [False, True])
def test_the_class_mix_of_batches_is_that_of_uniform_draws_from_a_corpus_stored_class_by_class(random_offset):
    classes, clips_each, batch = 20, 100, 128
    label_K = np.repeat(np.arange(classes), clips_each)
    patches = eligible_patches(np.full(len(label_K), 960), None, random_offset)
    # Without replacement inside an epoch the expected chi2/dof of a batch is (N - n) / (N - 1), here 0.994.
    sampler = Sampler(patches, batch, 11)
    expected = batch / classes
    chi2 = [
        ((np.bincount(label_K[sampler.batch(step)[0]], minlength=classes) - expected) ** 2 / expected).sum()
        for step in range(600)
    ]
    assert 0.9 < np.mean(chi2) / (classes - 1) < 1.1


def test_streams_of_a_step_are_independent():
    draws = [step_generator(0, 3, stream).random(2000) for stream in range(3)]
    assert np.abs(np.corrcoef(draws) - np.eye(3)).max() < 0.08


def drawn_labels(sampler, labels_K, steps):
    """How often each label is in each of the first batches: (steps, C)."""
    owner_K = np.array([labels[0] for labels in labels_K])
    return np.array([np.bincount(owner_K[sampler.batch(k)[0]], minlength=owner_K.max() + 1) for k in range(steps)])


SKEWED = [(0,)] * 700 + [(1,)] * 90 + [(2,)] * 10


def skewed(balance, seed=1):
    patches = eligible_patches(np.full(len(SKEWED), 480), None, True)
    return balanced(patches, SKEWED, 3, balance, seed)


def test_balance_at_one_draws_labels_alike_often_and_every_patch_of_a_label():
    patches = skewed(1.0)
    epoch = patches.turns // 50
    sampler = Sampler(patches, 50, 4)
    share_C = drawn_labels(sampler, SKEWED, epoch).sum(axis=0) / (50 * epoch)
    np.testing.assert_allclose(share_C, 1 / 3, atol=0.01)
    assert np.bincount(patches.clip_P, patches.times_P)[:700].tolist() == [5] * 700
    chi2 = (drawn_labels(sampler, SKEWED, 300) - 50 / 3) ** 2 / (50 / 3)
    assert 0.8 < chi2.sum(axis=1).mean() / 2 < 1.2


def test_balance_between_draws_by_its_power_and_none_changes_nothing():
    times_P, labels_P = skewed(0.5).times_P, np.array([c for (c,) in SKEWED]).repeat(5)
    found = [times_P[labels_P == label].mean() for label in range(3)]
    np.testing.assert_allclose(found, [1, (700 / 90) ** 0.5, 70**0.5], rtol=0.03)
    plain = Sampler(eligible_patches(np.full(len(SKEWED), 480), None, True), 64, 9)
    for one, other in zip(Sampler(skewed(0.0), 64, 9).batch(70), plain.batch(70), strict=True):
        assert np.array_equal(one, other)


def test_a_clip_of_several_labels_counts_as_its_rarest():
    labels_K = [(0,)] * 30 + [(0, 1)] * 2 + [()]
    times_P = balanced(eligible_patches(np.full(33, 96), None, True), labels_K, 2, 1.0, 0).times_P
    assert times_P.tolist() == [1] * 30 + [16] * 2 + [1]
