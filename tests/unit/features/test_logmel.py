from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import UserError
from earmark.features import decode, frame_count, log_mel, mel_matrix, padded_samples, patch_count, patches
from earmark.features.logmel import padded_frames_at_16k, resample, to_mono

FLOOR = math.log(0.01)


def reference_weights() -> np.ndarray:
    """The filter bank bin by bin, band by band, from the formulas."""

    def mel(hz):
        return 1127.0 * math.log(1.0 + hz / 700.0)

    low, high = mel(125.0), mel(7500.0)
    edge = [low + i * (high - low) / 65 for i in range(66)]
    weights = np.zeros((257, 64))
    for k in range(1, 257):
        at = mel(k * 16000 / 512)
        for band in range(64):
            left, centre, right = edge[band : band + 3]
            weights[k, band] = max(0.0, min((at - left) / (centre - left), (right - at) / (right - centre)))
    return weights


def reference_log_mel(x: np.ndarray) -> np.ndarray:
    """Frames of a mono 16 kHz waveform in float64: a sum over cosines and sines, frame by frame."""
    x = x.astype(np.float64)
    hann = np.array([0.5 - 0.5 * math.cos(2 * math.pi * n / 400) for n in range(400)])
    angle = 2 * np.pi * (np.outer(np.arange(257), np.arange(400)) % 512) / 512
    cosine, sine, weights = np.cos(angle), np.sin(angle), reference_weights()
    rows = []
    start = 0
    while start + 400 <= len(x):
        frame = x[start : start + 400] * hann
        magnitude = np.sqrt((cosine @ frame) ** 2 + (sine @ frame) ** 2)
        rows.append(np.log(magnitude @ weights + 0.01))
        start += 160
    return np.array(rows).reshape(-1, 64)


def chirp(seconds: float = 2.0) -> np.ndarray:
    t = np.arange(round(seconds * 16000)) / 16000
    return np.sin(2 * np.pi * (50 * t + (7900 - 50) / (2 * seconds) * t**2))


def sine(hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(32000) / 16000)


def test_float32_agrees_with_the_formulas_on_recordings(recordings):
    for path in recordings:
        sound = decode(path.read_bytes())
        mono = resample(to_mono(sound.samples_NC), sound.rate)[:32000]
        assert mono.dtype == np.float32
        frames = log_mel(mono, 16000)
        assert frames.dtype == np.float32
        assert np.abs(frames - reference_log_mel(mono)).max() <= 5e-4


@pytest.mark.parametrize("wave", [sine(1000.0), sine(123.4), sine(7000.0), chirp()], ids=["1k", "low", "high", "chirp"])
def test_full_scale_tones(wave):
    single = wave.astype(np.float32)
    assert np.abs(log_mel(single, 16000) - reference_log_mel(single)).max() <= 2e-3
    double = log_mel(wave, 16000)
    assert double.dtype == np.float64
    assert np.abs(double - reference_log_mel(wave)).max() <= 1e-9


def test_float64_agrees_on_a_recording(recordings):
    sound = decode(recordings[0].read_bytes())
    mono = resample(to_mono(sound.samples_NC.astype(np.float64)), sound.rate)[:32000]
    assert np.abs(log_mel(mono, 16000) - reference_log_mel(mono)).max() <= 1e-9


def test_filter_bank():
    weights = mel_matrix()
    np.testing.assert_allclose(weights, reference_weights(), atol=1e-12)
    assert weights.shape == (257, 64)
    assert (weights.sum(axis=0) > 0).all()
    assert (weights.sum(axis=1) > 0).sum() == 235
    assert np.flatnonzero(weights[:, 0]).tolist() == [5]
    assert weights[5, 0] == pytest.approx(0.9477, abs=5e-5)
    assert np.flatnonzero(weights[:, 63])[[0, -1]].tolist() == [223, 239]
    sums = weights.sum(axis=0)
    assert (sums.min(), sums.max()) == pytest.approx((0.9477, 8.9442), abs=5e-5)
    assert (weights[0] == 0).all()


@pytest.mark.parametrize(
    ("samples", "frames", "dropped", "padded"),
    [
        (0, 0, 0, 0),
        (239, 0, 0, 1),
        (399, 0, 0, 1),
        (400, 1, 0, 1),
        (15_360, 94, 0, 1),
        (15_599, 95, 0, 1),
        (15_600, 96, 1, 1),
        (16_000, 98, 1, 2),
        (30_960, 192, 2, 2),
        (48_000, 298, 3, 4),
        (80_000, 498, 5, 6),
        (160_000, 998, 10, 11),
    ],
)
def test_counts(samples, frames, dropped, padded):
    assert frame_count(samples) == frames
    assert patch_count(samples, "drop") == dropped
    assert patch_count(samples, "pad") == padded
    x = np.zeros(samples, np.float32)
    frames_TF = log_mel(x, 16000)
    assert frames_TF.shape == (frames, 64)
    assert patches(frames_TF, tail="drop").shape == (dropped, 96, 64)


@given(st.integers(1, 400_000))
def test_padding_covers_every_sample_and_no_more(samples):
    padded = padded_samples(samples)
    assert padded >= samples
    assert frame_count(padded) % 96 == 0
    assert frame_count(padded) == 96 * patch_count(samples, "pad")
    assert padded == 15_600 or padded - 15_360 < samples
    assert patch_count(samples, "pad") - patch_count(samples, "drop") in (0, 1)


@given(st.integers(0, 700), st.integers(1, 120), st.sampled_from(["pad", "drop"]))
def test_patches_are_the_frames_from_each_hop(frames, hop, tail):
    frames_TF = np.arange(frames * 64, dtype=np.float32).reshape(frames, 64)
    found = patches(frames_TF, hop, tail)
    assert found.shape[1:] == (96, 64)
    for p, patch_TF in enumerate(found):
        own = frames_TF[p * hop : p * hop + 96]
        np.testing.assert_array_equal(patch_TF[: len(own)], own)
        assert (patch_TF[len(own) :] == np.float32(FLOOR)).all()
    covered = (len(found) - 1) * hop + 96 if len(found) else 0
    if tail == "drop":
        assert covered <= frames < max(covered + hop, 96) or frames < 96
    elif frames:
        assert covered >= frames


@given(st.integers(1, 50_000))
def test_the_padded_tail_is_that_of_the_padded_waveform(samples):
    x = np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)
    expected = log_mel(np.pad(x, (0, padded_samples(samples) - samples)), 16000)
    np.testing.assert_allclose(padded_frames_at_16k(x), expected, atol=1e-5, strict=True)


def test_silence_is_the_floor():
    assert (log_mel(np.zeros(1600, np.int16), 16000) == np.float32(FLOOR)).all()


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_sample_types_and_channels_mean_the_same_sound(rate):
    wave = np.round(8000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.int16)
    expected = log_mel(wave, rate)
    stereo = np.stack([wave, wave], axis=1)
    for same in (wave.astype(np.int32) * 65536, wave / 32768, (wave / 32768).astype(np.float32), stereo):
        np.testing.assert_allclose(log_mel(same, rate), expected, atol=5e-4)


def test_the_mean_over_channels_is_taken():
    wave = np.sin(np.arange(16000) * 0.1)
    assert (log_mel(np.stack([wave, -wave], axis=1), 16000) == FLOOR).all()
    np.testing.assert_array_equal(to_mono(np.array([[1, 3, 5]], np.int16)), np.array([3 / 32768], np.float32))


@pytest.mark.parametrize(
    ("samples", "rate", "says"),
    [
        (np.zeros(800, np.uint8), 16000, "uint8"),
        (np.zeros((2, 3, 4), np.float32), 16000, r"\(2, 3, 4\)"),
        (np.zeros(800, np.float32), 0, "0 Hz"),
    ],
)
def test_what_cannot_be_is_refused(samples, rate, says):
    with pytest.raises(UserError, match=says):
        log_mel(samples, rate)


@pytest.mark.parametrize(
    ("hop", "tail", "shape"), [(0, "pad", (96, 64)), (96, "keep", (96, 64)), (96, "pad", (96, 40))]
)
def test_patches_refuses_what_cannot_be(hop, tail, shape):
    with pytest.raises(UserError):
        patches(np.zeros(shape, np.float32), hop, tail)
