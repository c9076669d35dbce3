"""Augmentations: mixing sounds is mixing power, masks stay inside their bounds, all is a function of (seed, step)."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from earmark.config import AugmentConfig
from earmark.features import FLOOR
from earmark.training.augment import augment, draw, gain, mask, mix, mix_targets, turn, warp

ALL = AugmentConfig(
    time_shift_frames=30,
    time_stretch=0.25,
    mel_stretch=0.1,
    mel_shift_bands=3,
    equaliser_db=6,
    gain_db=6,
    mix_alpha=0.4,
    time_masks=2,
    time_mask_frames=20,
    mel_masks=1,
    mel_mask_bands=8,
)


def log_mel(magnitude):
    return torch.log(magnitude + 0.01)


def sounds(seed, batch=6):
    return torch.rand(batch, 96, 64, generator=torch.Generator().manual_seed(seed)) * 20


@given(st.integers(0, 2**31), st.floats(0, 1))
def test_mixing_adds_power(seed, share):
    m_BTF, partner_B, share_B = sounds(seed), torch.tensor([1, 2, 3, 4, 5, 0]), torch.full((6,), share)
    expected = (share * m_BTF.double() ** 2 + (1 - share) * m_BTF[partner_B].double() ** 2).sqrt()
    torch.testing.assert_close(mix(log_mel(m_BTF), partner_B, share_B), log_mel(expected).float(), atol=2e-3, rtol=0)


def test_mixing_a_sound_with_itself_or_wholly_one_changes_nothing():
    x_BTF = log_mel(sounds(0))
    torch.testing.assert_close(mix(x_BTF, torch.arange(6), torch.full((6,), 0.3)), x_BTF, atol=1e-4, rtol=0)
    torch.testing.assert_close(mix(x_BTF, torch.arange(6).flip(0), torch.ones(6)), x_BTF, atol=1e-4, rtol=0)


def test_mixing_with_silence_is_a_gain():
    x_BTF = torch.stack([log_mel(sounds(0)[0]), torch.full((96, 64), FLOOR)])
    mixed = mix(x_BTF, torch.tensor([1, 0]), torch.tensor([0.5, 1.0]))
    torch.testing.assert_close(mixed[:1], gain(x_BTF[:1], torch.tensor([[0.5**0.5]])), atol=1e-4, rtol=0)


@given(st.floats(-20, 20))
def test_gain_scales_the_magnitude(decibels):
    m_BTF = sounds(1)
    factor = 10 ** (decibels / 20)
    louder = gain(log_mel(m_BTF), torch.full((6, 1), factor))
    torch.testing.assert_close(louder, log_mel(m_BTF * factor), atol=2e-4, rtol=0)


def test_gain_leaves_silence_silent():
    silence = torch.full((1, 96, 64), FLOOR)
    torch.testing.assert_close(gain(silence, torch.tensor([[10.0]])), silence, atol=1e-5, rtol=0)


@given(st.integers(0, 2**31), st.floats(-15, 15))
def test_mixing_at_equal_power_does_not_depend_on_how_loud_the_partner_is(seed, decibels):
    m_BTF, partner_B, share_B = sounds(seed, batch=2), torch.tensor([1, 0]), torch.full((2,), 0.6)
    louder_BTF = torch.stack([m_BTF[0], m_BTF[1] * 10 ** (decibels / 20)])
    plain, louder = (mix(log_mel(m), partner_B, share_B, equal_power=True)[0] for m in (m_BTF, louder_BTF))
    torch.testing.assert_close(louder, plain, atol=5e-3, rtol=0)


@given(seed=st.integers(0, 1000), shift=st.integers(-95, 95))
def test_turning_moves_frames_and_loses_none(seed, shift):
    x_BTF = log_mel(sounds(seed, batch=2))
    turned = turn(x_BTF, torch.tensor([shift, 0]))
    assert torch.equal(turned[0], x_BTF[0].roll(shift, dims=0))
    assert torch.equal(turned[1], x_BTF[1])


def test_warping_reads_between_the_values_and_mirrors_at_the_edges():
    ramp_TF = torch.arange(96.0)[:, None] + 1000 * torch.arange(64.0)
    plain, half_band, twice = (
        torch.tensor([[1.0, 0], [1, 0]]),
        torch.tensor([[1.0, 0], [1, 0.5]]),
        torch.tensor([[2.0, 0], [1, 0]]),
    )
    same, up, fast = warp(ramp_TF.expand(3, 96, 64), torch.stack([plain, half_band, twice]))
    torch.testing.assert_close(same, ramp_TF)
    torch.testing.assert_close(up[:, :63], ramp_TF[:, :63] + 500)
    torch.testing.assert_close(up[:, 63], ramp_TF[:, 63] - 500)
    inside = torch.arange(24, 72)
    torch.testing.assert_close(fast[inside], ramp_TF[0] + (2 * inside - 47.5)[:, None], atol=0.02, rtol=0)
    assert fast.min() >= ramp_TF.min()
    assert fast.max() <= ramp_TF.max()


@given(st.integers(0, 10**6))
def test_the_equaliser_is_smooth_and_bounded(step):
    decibel_BF = 20 * draw(AugmentConfig(equaliser_db=6), 8, 96, 64, 0, step).gain_BF.log10()
    assert decibel_BF.abs().max() <= 6.001
    # Five knots over 64 bands: at most 12 dB in 15.75 bands.
    assert decibel_BF.diff(dim=1).abs().max() <= 12 / 15.75 + 1e-3


def test_targets_mix_by_the_shares_and_keep_their_sum():
    y_BC = torch.eye(3)
    mixed = mix_targets(y_BC, torch.tensor([1, 2, 0]), torch.tensor([0.75, 0.5, 1.0]))
    assert mixed.tolist() == [[0.75, 0.25, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]]


@pytest.mark.parametrize("axis", [1, 2])
@given(seed=st.integers(0, 1000))
def test_masks_replace_their_stretch_by_the_mean_and_touch_nothing_else(axis, seed):
    x_BTF = log_mel(sounds(seed))
    interval_BM2 = torch.tensor([[[3, 9], [20, 20]]] * 6)
    masked = mask(x_BTF, interval_BM2, axis).movedim(axis, 1)
    plain = x_BTF.movedim(axis, 1)
    torch.testing.assert_close(masked[:, 3:9], x_BTF.mean(dim=(1, 2))[:, None, None].expand_as(masked[:, 3:9]))
    assert torch.equal(masked[:, :3], plain[:, :3])
    assert torch.equal(masked[:, 9:], plain[:, 9:])


@given(seed=st.integers(0, 2**63), step=st.integers(0, 10**7), batch=st.integers(1, 40))
def test_draws_stay_inside_their_bounds(seed, step, batch):
    draws = draw(ALL, batch, 96, 64, seed, step)
    assert (20 * draws.gain_BF.log10()).abs().max() <= 12.001
    assert draws.shift_B.abs().max() <= 30
    assert ((draws.warp_B22[:, 0, 0] >= 1 / 1.25 - 1e-6) & (draws.warp_B22[:, 0, 0] <= 1.25 + 1e-6)).all()
    assert ((draws.warp_B22[:, 1, 0] >= 1 / 1.1 - 1e-6) & (draws.warp_B22[:, 1, 0] <= 1.1 + 1e-6)).all()
    assert draws.warp_B22[:, 1, 1].abs().max() <= 3 + 0.1 * 64 / 2
    assert sorted(draws.partner_B.tolist()) == list(range(batch))
    assert ((draws.share_B >= 0.5) & (draws.share_B <= 1)).all()
    for interval, count, longest, size in [(draws.time_BM2, 2, 20, 96), (draws.mel_BM2, 1, 8, 64)]:
        assert interval.shape == (batch, count, 2)
        width = interval[..., 1] - interval[..., 0]
        assert ((width >= 0) & (width <= longest)).all()
        assert ((interval >= 0) & (interval <= size)).all()


def test_a_batch_is_augmented_alike_by_the_same_seed_and_step_only():
    x_BTF, y_BC = log_mel(sounds(2, batch=32)), torch.eye(32)
    first, same, other = (augment(x_BTF, y_BC, draw(ALL, 32, 96, 64, 7, step)) for step in (3, 3, 4))
    assert torch.equal(first[0], same[0])
    assert torch.equal(first[1], same[1])
    assert not torch.equal(first[0], other[0])


def test_the_input_is_left_as_it_was():
    x_BTF = log_mel(sounds(3))
    before = x_BTF.clone()
    augment(x_BTF, torch.eye(6), draw(ALL, 6, 96, 64, 0, 0))
    assert torch.equal(x_BTF, before)


def test_everything_is_off_by_default():
    draws = draw(AugmentConfig(), 8, 96, 64, 0, 0)
    assert all(value is None for value in dataclasses.asdict(draws).values())
    x_BTF, y_BC = log_mel(sounds(4)), torch.eye(6)
    assert augment(x_BTF, y_BC, draws)[0] is x_BTF
