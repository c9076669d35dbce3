"""Frames of blocks are those of the whole sound: bit for bit, whatever the format, the rate and the cut."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.features import DecodeError, FeatureSpec, decode, frames_of, frames_of_sound
from earmark.features import stream as module
from earmark.features.decode import Sound
from earmark.features.stream import FrameMaker, frame_blocks, open_blocks, raw_blocks

SPECS = [FeatureSpec(), FeatureSpec(storage="float32"), FeatureSpec(tail="drop", storage="float32")]


def streamed(path, spec):
    return np.concatenate(list(frame_blocks(open_blocks(path), spec)))


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a fraction of a second, so that short clips are cut, too."""
    monkeypatch.setattr(module, "BLOCK_SAMPLES", 10_007)


@pytest.mark.parametrize("spec", SPECS, ids=("uint8", "float32", "drop"))
def test_real_clips_in_blocks_give_the_frames_of_extraction(recordings, spec, small_blocks):
    for path in recordings[:4]:
        assert np.array_equal(streamed(path, spec), frames_of(path.read_bytes(), spec)[0])


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [
        ("wav", "PCM_16"),
        ("wav", "PCM_U8"),
        ("wav", "PCM_24"),
        ("wav", "FLOAT"),
        ("wav", "DOUBLE"),
        ("flac", "PCM_16"),
        ("flac", "PCM_24"),
        ("ogg", "VORBIS"),
        ("ogg", "OPUS"),
        ("mp3", "MPEG_LAYER_III"),
        ("aiff", "PCM_16"),
    ],
)
def test_every_format_gives_the_samples_of_the_decoder(tmp_path, suffix, subtype, small_blocks):
    draw = np.random.default_rng(0)
    rate = 48_000 if subtype == "OPUS" else 44_100
    path = tmp_path / f"noise.{suffix}"
    soundfile.write(path, draw.normal(scale=0.1, size=(70_000, 2)), rate, subtype=subtype)
    sound, blocks = decode(path.read_bytes()), open_blocks(path)
    pieces = list(blocks.blocks)
    assert len(pieces) > 3
    assert pieces[0].dtype == sound.samples_NC.dtype
    assert np.array_equal(np.concatenate(pieces), sound.samples_NC)
    assert (blocks.rate, blocks.claimed_seconds) == (rate, pytest.approx(70_000 / rate, abs=0.1))


def test_mp3_of_real_sound_does_not_depend_on_its_blocks(tmp_path, recordings, small_blocks):
    """After a seek, which python-soundfile makes after every read, MP3 goes on with other samples."""
    sound = np.concatenate([soundfile.read(path, dtype="float32")[0] for path in recordings[:4]])
    path = tmp_path / "real.mp3"
    with soundfile.SoundFile(path, "w", 44_100, 1) as file:
        for second in np.array_split(sound, len(sound) // 44_100):
            file.write(second)
    blocks = np.concatenate(list(open_blocks(path).blocks))
    assert np.array_equal(blocks, decode(path.read_bytes()).samples_NC)


@settings(max_examples=40)
@given(
    samples=st.integers(1, 60_000),
    rate=st.sampled_from([8000, 16000, 22050, 44100, 48000, 96000]),
    channels=st.integers(1, 2),
    cuts=st.lists(st.integers(0, 60_000), max_size=6),
    kind=st.sampled_from(["int16", "float32", "float64"]),
    tail=st.sampled_from(["pad", "drop"]),
)
def test_frames_do_not_depend_on_how_a_sound_is_cut(samples, rate, channels, cuts, kind, tail):
    x_NC = np.random.default_rng(samples).normal(scale=0.1, size=(samples, channels))
    x_NC = (x_NC * 32767).clip(-32768, 32767).astype(kind) if kind == "int16" else x_NC.astype(kind)
    spec = FeatureSpec(tail=tail)
    whole_TF, facts = frames_of_sound(Sound(x_NC, rate), spec)
    maker = FrameMaker(spec, rate)
    found = [maker.add(piece) for piece in np.split(x_NC, sorted(min(cut, samples) for cut in cuts))]
    if facts.reason is not None:
        with pytest.raises(DecodeError, match=facts.reason):
            maker.end()
        return
    found.append(maker.end())
    assert maker.seconds == pytest.approx(facts.seconds)
    assert np.array_equal(np.concatenate(found), whole_TF)


@pytest.mark.parametrize("kind", ["s16", "f32"])
def test_a_raw_stream_is_a_file_without_its_header(tone, kind):
    x_N = tone(seconds=3, rate=22_050)
    samples = (x_N * 32767).astype("<i2") if kind == "s16" else x_N.astype("<f4")
    stereo = np.stack([samples, samples // 2 if kind == "s16" else samples / 2], axis=1)
    # A byte too many at its end: a frame of samples that never became whole.
    sound = raw_blocks(io.BytesIO(stereo.tobytes() + b"\x01"), 22_050, 2, kind)
    whole_TF, _ = frames_of_sound(Sound(stereo, 22_050), SPECS[0])
    assert np.array_equal(np.concatenate(list(frame_blocks(sound, SPECS[0]))), whole_TF)


def test_a_file_that_is_cut_gives_what_is_there_as_the_decoder_does(recordings, tmp_path):
    data = recordings[0].read_bytes()
    path = tmp_path / "cut.ogg"
    path.write_bytes(data[: len(data) // 2])
    whole_TF, facts = frames_of(path.read_bytes(), SPECS[0])
    assert facts.reason is None
    assert np.array_equal(streamed(path, SPECS[0]), whole_TF)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"no sound at all, but text", "format not recognised"),
        (b"\0\0\0\x20ftypM4A ", "M4A are not read"),
    ],
)
def test_bytes_that_are_no_sound_are_refused_with_the_reason(tmp_path, data, reason):
    (tmp_path / "bad").write_bytes(data)
    with pytest.raises(DecodeError, match=reason):
        streamed(tmp_path / "bad", SPECS[0])


def test_a_sample_that_is_no_number_is_refused(tmp_path):
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan] * 9000, np.float32), 16_000, subtype="FLOAT")
    with pytest.raises(DecodeError, match="not finite"):
        streamed(tmp_path / "nan.wav", SPECS[0])
