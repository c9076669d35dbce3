from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from earmark.features import FeatureSpec, clip_key, dequantise, frames_of, log_mel
from earmark.features.clip import amplitude, frames_of_segments

PAD, DROP = FeatureSpec(tail="pad"), FeatureSpec(tail="drop")


def wav(samples: np.ndarray, rate: int = 16000, **kind: str) -> bytes:
    data = io.BytesIO()
    soundfile.write(data, samples, rate, **({"format": "WAV", "subtype": "PCM_16"} | kind))
    return data.getvalue()


@pytest.mark.parametrize("rate", [16000, 44100])
def test_the_same_sound_in_wav_and_flac_is_the_same(recordings, rate):
    samples, _ = soundfile.read(recordings[1], dtype="int16")
    as_wav, as_flac = (frames_of(wav(samples, rate, format=f), PAD) for f in ("WAV", "FLAC"))
    assert as_wav[1].sound_sha256 == as_flac[1].sound_sha256 != ""
    np.testing.assert_array_equal(as_wav[0], as_flac[0])
    louder = frames_of(wav(samples // 2, rate), PAD)
    assert louder[1].sound_sha256 != as_wav[1].sound_sha256


@pytest.mark.parametrize("spec", [PAD, DROP], ids=["pad", "drop"])
def test_stored_frames_are_the_log_mel_of_the_padded_waveform(tone, spec):
    samples = (tone(2.2) * 32767).astype(np.int16)
    frames_TF, facts = frames_of(wav(samples), spec)
    padded = np.pad(samples, (0, 15_600 + 2 * 15_360 - len(samples)))
    expected = log_mel(padded if spec.tail == "pad" else samples, 16000)
    assert frames_TF.shape == expected.shape == ((288 if spec.tail == "pad" else 218), 64)
    assert np.abs(dequantise(frames_TF, spec) - np.clip(expected, None, 6)).max() <= 0.0209
    assert (facts.reason, facts.seconds, facts.rate, facts.channels) == (None, 2.2, 16000, 1)


def test_facts(tone):
    loud = np.clip(tone(1.5, 44100, amplitude=2.0), -1, 1)
    facts = frames_of(wav(np.stack([loud, 0 * loud], axis=1), 44100), PAD)[1]
    assert (facts.rate, facts.channels, facts.seconds) == (44100, 2, 1.5)
    assert facts.peak == pytest.approx(0.5, abs=1e-4)  # of the mean over channels
    assert facts.clipped_share == pytest.approx(1 / 3, abs=0.01)  # two thirds of one channel of two
    assert facts.reason is None
    assert frames_of(wav(0.9 * loud, 44100), PAD)[1].clipped_share == 0


def test_full_scale_counts_as_clipped_in_every_type(tone):
    square = np.sign(tone(1.5))
    for subtype in ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"):
        assert frames_of(wav(square, subtype=subtype), PAD)[1].clipped_share > 0.99


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (b"", "empty"),
        (wav(np.zeros(0)), "empty"),
        (b"not a sound at all " * 50, "cannot be decoded: format not recognised"),
        (wav(np.array([0.1, np.nan] * 9000), subtype="FLOAT"), "not finite"),
        (wav(np.array([0.1, -np.inf] * 9000), subtype="DOUBLE"), "not finite"),
        (wav(np.array([0.1, 1e300] * 9000), subtype="DOUBLE"), "not finite"),
    ],
    ids=["no bytes", "no samples", "noise", "nan", "inf", "absurd"],
)
def test_bad_audio_has_no_frames_and_a_reason(audio, reason):
    frames_TF, facts = frames_of(audio, PAD)
    assert frames_TF.shape == (0, 64)
    assert facts.reason == reason
    assert facts.finite == (reason != "not finite")


def test_only_drop_refuses_clips_shorter_than_a_patch():
    short = wav(np.full(15_599, 0.1))
    assert frames_of(short, DROP)[1].reason == "shorter than one patch"
    assert frames_of(short, PAD)[0].shape == (96, 64)
    assert frames_of(wav(np.full(15_600, 0.1)), DROP)[0].shape == (96, 64)
    assert frames_of(wav(np.full(1, 0.1)), PAD)[0].shape == (96, 64)


def test_segments_of_one_file_are_those_clips(tone):
    audio = wav(tone(6.0) * np.linspace(0, 1, 96000))
    segments = [(0.0, 2.0), (2.0, 4.5), (None, None), (7.0, 8.0)]
    for (frames_TF, facts), (start, end) in zip(frames_of_segments(audio, PAD, segments), segments, strict=True):
        alone, alone_facts = frames_of(audio, PAD, start, end)
        np.testing.assert_array_equal(frames_TF, alone)
        assert facts == alone_facts
    assert facts.reason == "past the end: the file has 6.000 s"


def test_clip_keys():
    assert clip_key("ab") == "ab"
    assert clip_key("") == clip_key("", 1.0, 2.0) == ""
    keys = {clip_key("ab", *segment) for segment in [(0.0, 1.0), (0.0, 2.0), (1.0, 2.0), (None, 1.0), (None, None)]}
    assert len(keys) == 5


def test_amplitude():
    assert amplitude(0.0) == 1.0
    assert amplitude(-20.0) == pytest.approx(0.1)
