from __future__ import annotations

import contextlib
import io
import struct

import numpy as np
import pytest
import soundfile

from earmark.features import DecodeError, decode

WAV_SUBTYPES = {
    "PCM_U8": (np.int16, 1 / 100),
    "PCM_16": (np.int16, 1 / 32000),
    "PCM_24": (np.int32, 1 / 8e6),
    "PCM_32": (np.int32, 1e-7),
    "FLOAT": (np.float32, 1e-7),
    "DOUBLE": (np.float64, 1e-15),
    "ULAW": (np.int16, 1 / 40),
    "ALAW": (np.int16, 1 / 40),
    "IMA_ADPCM": (np.int16, 1 / 50),
    "MS_ADPCM": (np.int16, 1 / 50),
}
SCALE = {"int16": 32768.0, "int32": 2147483648.0}


def encoded(samples: np.ndarray, rate: int, **kind: str) -> bytes:
    data = io.BytesIO()
    soundfile.write(data, samples, rate, **kind)
    return data.getvalue()


@pytest.fixture(scope="module")
def real(recordings) -> tuple[np.ndarray, int]:
    """Two seconds of a recording in stereo, in float64, below full scale."""
    left, rate = soundfile.read(recordings[3])
    left = 0.9 * left[: 2 * rate] / np.abs(left).max()
    return np.stack([left, 0.5 * left[::-1]], axis=1), rate


@pytest.mark.parametrize("subtype", WAV_SUBTYPES)
def test_every_wav_sample_type_keeps_its_own(real, subtype):
    samples, rate = real
    dtype, error = WAV_SUBTYPES[subtype]
    sound = decode(encoded(samples, rate, format="WAV", subtype=subtype))
    assert (sound.rate, sound.samples_NC.dtype) == (rate, dtype)
    values = sound.samples_NC[: len(samples)] / SCALE.get(sound.samples_NC.dtype.name, 1.0)
    assert values.shape == samples.shape
    assert np.sqrt(np.mean((values - samples) ** 2)) <= error


@pytest.mark.parametrize(("subtype", "dtype"), [("PCM_S8", "int16"), ("PCM_16", "int16"), ("PCM_24", "int32")])
def test_flac_is_exact(real, subtype, dtype):
    samples, rate = real
    data = encoded(samples, rate, format="FLAC", subtype=subtype)
    sound = decode(data)
    expected, _ = soundfile.read(io.BytesIO(data), dtype=dtype)
    assert sound.rate == rate
    np.testing.assert_array_equal(sound.samples_NC, expected)


@pytest.mark.parametrize(
    ("kind", "rate"),
    [
        ({"format": "OGG", "subtype": "VORBIS"}, 44100),
        ({"format": "OGG", "subtype": "OPUS"}, 48000),
        ({"format": "MP3"}, 44100),
        ({"format": "AIFF"}, 44100),
        ({"format": "CAF"}, 44100),
        ({"format": "W64"}, 44100),
        ({"format": "RF64"}, 44100),
        ({"format": "WAVEX"}, 44100),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else str(value),
)
def test_other_formats(real, kind, rate):
    samples = real[0][:, 0]
    sound = decode(encoded(samples, rate, **kind))
    assert sound.rate == rate
    values = sound.samples_NC[:, 0] / SCALE.get(sound.samples_NC.dtype.name, 1.0)
    assert abs(len(values) - len(samples)) <= 3000  # MP3 keeps its encoder's delay
    spectrum = [np.abs(np.fft.rfft(v, 1 << 18))[:20000] for v in (values, samples)]
    assert np.corrcoef(spectrum)[0, 1] > 0.9


def test_vorbis_equals_the_reference_decoder(recordings):
    for path in recordings:
        sound = decode(path.read_bytes())
        expected, rate = soundfile.read(path, dtype="float32", always_2d=True)
        assert (sound.rate, sound.samples_NC.dtype) == (rate, np.float32)
        np.testing.assert_allclose(sound.samples_NC, expected, atol=1e-6)


@pytest.mark.parametrize("channels", [2, 3, 6])
def test_vorbis_of_many_channels_is_whole_whatever_length_it_claims(real, channels):
    samples = np.tile(np.stack([np.roll(real[0][:, 0], 400 * channel) for channel in range(channels)], axis=1), (2, 1))
    data = encoded(0.3 * samples, real[1], format="OGG", subtype="VORBIS")
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    found = decode(data).samples_NC
    np.testing.assert_allclose(found, expected, atol=1e-6)
    claiming_less = decode(data.replace(struct.pack("<Q", len(samples)), struct.pack("<Q", 5))).samples_NC
    assert len(claiming_less) > 0.99 * len(found)  # only its last page is cut
    np.testing.assert_array_equal(claiming_less, found[: len(claiming_less)])


def test_a_wav_with_other_chunks_and_an_unset_size(real):
    samples = np.arange(-500, 500, dtype=np.int16)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    other = struct.pack("<4sI", b"LIST", 3) + b"abc\0"
    for size in (2000, 0xFFFFFFFF):  # a recorder that was cut off leaves the size unset
        data = b"RIFF\0\0\0\0WAVE" + form + other + struct.pack("<4sI", b"data", size) + samples.tobytes()
        sound = decode(data)
        assert sound.rate == 8000
        assert sound.samples_NC[:, 0].tolist() == samples.tolist()


def test_the_bytes_decide_not_a_name(real):
    data = encoded(real[0], real[1], format="FLAC")
    assert decode(data).samples_NC.dtype == np.int16
    assert decode(encoded(real[0], real[1], format="OGG", subtype="VORBIS")).samples_NC.dtype == np.float32


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"no sound at all " * 64, "format not recognised"),
        (b"RIFF\x24\0\0\0WAVE", "."),
        (b"fLaC" + bytes(60), "."),
        (b"OggS" + bytes(24) + b"\x01vorbis" + bytes(64), "."),
        (b"\0\0\0\x20ftypM4A " + bytes(100), "convert it"),
    ],
)
def test_undecodable_bytes_have_a_reason(data, reason):
    with pytest.raises(DecodeError, match=reason) as caught:
        decode(data)
    assert "0x" not in str(caught.value)  # no address: the reason is kept with the clip, and is the same every time


@pytest.mark.parametrize("kind", [{"format": "WAV"}, {"format": "FLAC"}, {"format": "OGG"}, {"format": "MP3"}])
def test_damaged_files_decode_or_say_why(real, kind):
    data = encoded(real[0], 44100, **kind)
    rng = np.random.default_rng(1)
    for _ in range(12):
        damaged = bytearray(data[: rng.integers(1, len(data))])
        for at in rng.integers(0, len(damaged), 20):
            damaged[at] = rng.integers(256)
        with contextlib.suppress(DecodeError):  # anything else than a sound or this error fails
            assert decode(bytes(damaged)).samples_NC.ndim == 2


def test_segments_are_cut_by_time():
    sound = decode(encoded(np.arange(1000) / 1000, 100, format="WAV", subtype="DOUBLE"))
    assert sound.segment(None, None).samples_NC.shape == (1000, 1)
    assert sound.segment(2.0, 2.5).samples_NC[:, 0].tolist() == (np.arange(200, 250) / 1000).tolist()
    assert len(sound.segment(9.0, None).samples_NC) == 100
    assert len(sound.segment(11.0, 12.0).samples_NC) == 0
