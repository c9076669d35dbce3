from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from earmark.features import FeatureSpec, decode, dequantise, log_mel, quantise, silent_frames

FLOOR = math.log(0.01)
HALF_STEP = (6 - FLOOR) / 255 / 2
U8 = FeatureSpec(storage="uint8")


@given(hnp.arrays(np.float32, (5, 64), elements=st.floats(np.float32(-4.605), 6, width=32)))
def test_uint8_is_within_half_a_step(x):
    stored = quantise(x, U8)
    assert stored.dtype == np.uint8
    assert np.abs(dequantise(stored, U8) - x).max() <= HALF_STEP + 1e-5


def test_uint8_on_a_recording_and_beyond_the_scale(recordings):
    sound = decode(recordings[0].read_bytes())
    frames_TF = log_mel(sound.samples_NC, sound.rate)
    assert np.abs(dequantise(quantise(frames_TF, U8), U8) - frames_TF).max() <= HALF_STEP + 1e-5
    assert quantise(np.array([-9.0, FLOOR, 6.0, 9.0], np.float32), U8).tolist() == [0, 0, 255, 255]
    assert dequantise(np.array([0, 255], np.uint8), U8) == pytest.approx([FLOOR, 6.0], abs=1e-5)


@pytest.mark.parametrize(("storage", "error"), [("float16", 0.002), ("float32", 0.0)])
def test_other_precisions(storage, error):
    spec = FeatureSpec(storage=storage)
    x = np.linspace(FLOOR, 6, 6400, dtype=np.float32).reshape(100, 64)
    stored = quantise(x, spec)
    assert stored.dtype == storage
    assert dequantise(stored, spec).dtype == np.float32
    assert np.abs(dequantise(stored, spec) - x).max() <= error


@pytest.mark.parametrize("storage", ["uint8", "float16", "float32"])
def test_only_frames_at_the_floor_are_silent(storage):
    spec = FeatureSpec(storage=storage)
    x = np.full((4, 64), FLOOR, np.float32)
    x[2, 10] = -4.0
    assert silent_frames(quantise(x, spec), spec).tolist() == [True, True, False, True]
    assert silent_frames(quantise(x[:0], spec), spec).tolist() == []
    assert silent_frames(quantise(log_mel(np.zeros(1600, np.float32), 16000), spec), spec).all()
