"""Where patches start: a hop apart, the last one with the clip's end, without needless silence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.config import FeatureSpec
from earmark.errors import EarmarkError
from earmark.evaluation.windows import excerpt, window_starts

SPEC = FeatureSpec()


def sounding(frames):
    return np.full((frames, 64), 90, np.uint8)


@given(st.integers(96, 1500), st.floats(0.01, 0.96))
def test_windows_cover_the_clip_and_never_leave_it(frames, hop_seconds):
    starts = window_starts(sounding(frames), SPEC, hop_seconds)
    assert starts[0] == 0
    assert starts[-1] == frames - 96
    steps = np.diff(starts)
    hop = max(1, round(hop_seconds * 100))
    assert (steps[:-1] == hop).all()
    assert (steps > 0).all()
    assert (steps <= hop).all()


def test_at_the_patch_length_windows_are_the_grid():
    assert window_starts(sounding(480), SPEC, 0.96).tolist() == [0, 96, 192, 288, 384]


def test_a_clip_below_a_patch_is_refused():
    with pytest.raises(EarmarkError, match="95 frames is shorter than a patch"):
        window_starts(sounding(95), SPEC, 0.96)


def test_windows_with_too_much_silence_are_left_out():
    frames = sounding(480)
    frames[200:] = 0  # the second window ends in sound, the third is silent but for 8 frames
    assert window_starts(frames, SPEC, 0.96, 0.8).tolist() == [0, 96]
    assert window_starts(frames, SPEC, 0.96, 1.0).tolist() == [0, 96, 192, 288, 384]


def test_a_share_that_is_just_allowed_is_kept():
    frames = sounding(96 * 2)
    frames[96 : 96 + 48] = 0
    assert window_starts(frames, SPEC, 0.96, 0.5).tolist() == [0, 96]
    frames[96 : 96 + 49] = 0
    assert window_starts(frames, SPEC, 0.96, 0.5).tolist() == [0]


def test_of_a_wholly_silent_clip_all_windows_stay():
    assert window_starts(np.zeros((192, 64), np.uint8), SPEC, 0.96, 0.1).tolist() == [0, 96]


@pytest.mark.parametrize("storage", ["float16", "float32"])
def test_silence_is_known_in_every_precision(storage):
    frames = np.full((192, 64), np.log(0.01)).astype(storage)
    frames[:96] = 1.0
    assert window_starts(frames, FeatureSpec(storage=storage), 0.96, 0.5).tolist() == [0]


def test_the_excerpt_is_the_whole_of_a_short_clip_and_the_loudest_part_of_a_long_one():
    assert excerpt(sounding(700), SPEC) == (0, 700)
    frames = np.zeros((3000, 64), np.uint8)
    frames[1700:1900] = 200
    first, length = excerpt(frames, SPEC)
    assert length == 1000
    assert first <= 1700
    assert first + length >= 1900
    assert first % 100 == 0
