"""Pieces of the report: scales, names kept apart, numbers, pictures and sounds."""

import base64
import io
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from earmark.evaluation.report import numbers, svg
from earmark.evaluation.report.confusion import pairs
from earmark.evaluation.report.curves import smooth
from earmark.evaluation.report.media import log_mel_png, mp3


def bytes_of(uri):
    return io.BytesIO(base64.b64decode(uri.partition(",")[2]))


def test_elements_escape_text_and_attributes():
    made = str(svg.tag("text", "<b>", class_='"x"', text_anchor="end", x=1.25))
    assert made == '<text class="&#34;x&#34;" text-anchor="end" x="1.2">&lt;b&gt;</text>'


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 8))
def test_ticks_are_even_and_cover_the_range(low, span, about):
    high = low + span
    places = svg.ticks(low, high, about)
    tolerance = 1e-6 * span + 1e-9
    assert places[0] <= low + tolerance
    assert places[-1] >= high - tolerance
    assert 2 <= len(places) <= about + 3


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_spread_keeps_order_and_distance_inside_the_limits(wanted):
    places = svg.spread(wanted, 5, 0, 100)
    gap = min(5, 100 / max(1, len(wanted) - 1))
    ordered = [places[i] for i in sorted(range(len(wanted)), key=lambda i: wanted[i])]
    assert all(b - a >= gap - 1e-6 for a, b in pairwise(ordered))
    assert min(places) >= -1e-6
    assert max(places) <= 100 + 1e-6


def test_spread_leaves_alone_what_is_far_enough_apart():
    assert svg.spread([10, 90, 50], 15, 0, 100) == [10, 90, 50]


def test_the_eighth_colour_is_told_from_the_first():
    assert svg.hue(0) != svg.hue(7)


def test_curves_are_thinned_to_their_ends():
    points = [(i, i) for i in range(1001)]
    thinned = svg.thin(points, 100)
    assert len(thinned) == 100
    assert (thinned[0], thinned[-1]) == (points[0], points[-1])


def test_smoothing_keeps_a_level_from_its_first_point():
    assert [v for _, v in smooth([(i, 3.0) for i in range(50)])] == pytest.approx([3.0] * 50)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0"),
        (999, "999"),
        (12_345, "12.3k"),
        (999_960, "1M"),
        (11_231_000, "11.2M"),
        (767e6, "767M"),
        (2.4e9, "2.4B"),
    ],
)
def test_counts_have_three_digits(value, told):
    assert numbers.compact(value) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(3.04, "3.0 s"), (61, "61 s"), (150, "2.5 min"), (3000, "50 min"), (9000, "2.5 h"), (1e6, "278 h")],
)
def test_durations(seconds, told):
    assert numbers.duration(seconds).replace("\u202f", " ") == told


def test_confusions_are_listed_worst_first_without_the_diagonal():
    found = pairs([[5, 2, 0], [0, 9, 0], [3, 0, 0]], ["a", "b", "c"])
    assert [(p.truth, p.guess, p.clips, p.of) for p in found] == [("c", "a", 3, 3), ("a", "b", 2, 7)]


def test_the_picture_has_time_to_the_right_and_high_bands_on_top():
    shades_TF = np.zeros((100, 64), np.uint8)
    shades_TF[10, 60] = 255  # early, high
    image = np.asarray(Image.open(bytes_of(log_mel_png(shades_TF))).convert("RGB"))
    assert image.shape == (64, 100, 3)
    assert image[3, 10].sum() > 600
    assert image[3, 11].sum() < 20


def test_the_sound_is_the_clip():
    time_N = np.arange(32_000) / 16_000
    samples, rate = soundfile.read(bytes_of(mp3((0.2 * np.sin(2 * np.pi * 1000 * time_N)).astype(np.float32))))
    assert rate == 16_000
    assert abs(len(samples) / rate - 2.0) < 0.2
    spectrum = np.abs(np.fft.rfft(samples))
    assert abs(spectrum.argmax() * rate / len(samples) - 1000) < 5
    assert 0.7 < np.abs(samples).max() <= 1.0


def test_a_silent_sound_can_be_written():
    assert mp3(np.zeros(1600, np.float32)).startswith("data:audio/mpeg;base64,")
