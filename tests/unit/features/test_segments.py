"""Segments of long files: the samples of the whole, for the bytes of the segment alone."""

import hashlib
import io
import os
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from earmark.config import DataConfig
from earmark.errors import EarmarkError, UserError
from earmark.features import (
    DecodeError,
    FeatureSpec,
    FrameStore,
    decode,
    extract_features,
    extract_part,
    fill,
    frames_of,
    frames_of_segments,
)
from earmark.features.plan import fixed_plan, wanted
from earmark.features.segments import LONG_BYTES, cut
from earmark.features.shards import Parts
from earmark.features.sources import LEAST_READ, Ranges, SoundFiles
from earmark.progress import Progress
from earmark.store import MissingObject, open_store
from earmark.store.directory import Directory
from earmark.store.tables import read_table

SPEC, CONFIG, QUIET = FeatureSpec(), DataConfig(), Progress("extract_features", mode="off")
SEGMENTS = [(4.0, 6.5), (None, 1.3), (6.0, None), (0.123456, 3.0), (4.5, 5.0), (40.0, 41.0), (9.0, 400.0)]
"""In no order, overlapping, open, past the end, ending later."""


@pytest.fixture(scope="module")
def real(recordings) -> np.ndarray:
    """Ten seconds of stereo at 44.1 kHz."""
    mono = np.concatenate([soundfile.read(path, dtype="float32")[0] for path in recordings[:3]])[:441_000]
    return np.stack([mono, mono[::-1]], axis=1)


def encoded(samples, rate, kind, subtype) -> bytes:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, samples.shape[1], subtype, format=kind) as out:
        for at in range(0, len(samples), rate):
            out.write(samples[at : at + rate])
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        *(("WAV", subtype) for subtype in ("PCM_16", "PCM_U8", "PCM_24", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM")),
        *(("FLAC", subtype) for subtype in ("PCM_S8", "PCM_16", "PCM_24")),
        *(("AIFF", "PCM_16"), ("CAF", "ALAC_16"), ("RF64", "PCM_16")),
        *(("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("WAV", "GSM610")),
    ],
)
def test_a_segment_has_the_samples_of_the_whole(real, kind, subtype):
    rate = {"OPUS": 48_000, "GSM610": 8_000}.get(subtype, 44_100)
    data = encoded(real[:, :1] if subtype == "GSM610" else real, rate, kind, subtype)
    whole = decode(data)
    if subtype == "VORBIS":  # cut by libsndfile, decoded whole by stb_vorbis: the same but for rounding
        exact = replace(whole, samples_NC=soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)[0])
        np.testing.assert_allclose(exact.samples_NC, whole.samples_NC, atol=1e-5)
        whole = exact
    together = {number: sound for number, sound, _ in cut(io.BytesIO(data), SEGMENTS)}
    assert len(together) == len(SEGMENTS)
    for number, segment in enumerate(SEGMENTS):
        [(_, alone, _)] = cut(io.BytesIO(data), [segment])
        expected = whole.segment(*segment)
        for found in (alone, together[number]):
            assert found.rate == expected.rate
            assert np.array_equal(found.samples_NC, expected.samples_NC)
            assert found.samples_NC.dtype == expected.samples_NC.dtype or not len(expected.samples_NC)


def test_frames_and_facts_of_a_long_file_are_those_of_a_short_one(real, monkeypatch):
    data = encoded(real, 44_100, "FLAC", "PCM_16")
    assert len(data) < LONG_BYTES
    short = frames_of_segments(data, SPEC, SEGMENTS)
    monkeypatch.setattr("earmark.features.clip.LONG_BYTES", 1000)
    monkeypatch.setattr("earmark.features.clip.decode", None)
    for (frames_TF, facts), (expected_TF, expected) in zip(
        frames_of_segments(data, SPEC, SEGMENTS), short, strict=True
    ):
        assert np.array_equal(frames_TF, expected_TF)
        assert facts == expected
    assert short[5][1].reason == "past the end: the file has 10.000 s"


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"\0\0\0\x20ftypM4A " + bytes(99), "MP4 and M4A"), (b"no sound at all" * 9, "format not recognised")],
)
def test_what_cannot_be_opened(data, reason):
    with pytest.raises(DecodeError, match=reason):
        list(cut(io.BytesIO(data), [(1.0, 2.0)]))


def test_a_damaged_place_spoils_only_the_segments_in_it(real):
    data = encoded(real, 44_100, "FLAC", "PCM_16")
    half, tenth = len(data) // 2, len(data) // 10
    data = data[:half] + bytes(tenth) + data[half + tenth :]
    segments = [(1.0, 2.0), *((at, at + 0.1) for at in np.arange(4.0, 7.0, 0.25)), (9.0, 9.5)]
    found = {number: sound for number, sound, _ in cut(io.BytesIO(data), segments)}
    alone = [sound for segment in segments for _, sound, _ in cut(io.BytesIO(data), [segment])]
    damaged = [number for number, sound in found.items() if isinstance(sound, DecodeError)]
    assert damaged == [number for number, sound in enumerate(alone) if isinstance(sound, DecodeError)] != []
    assert not {0, len(segments) - 1} & set(damaged)
    assert "cut or damaged" in str(found[damaged[0]])
    for number, at in ((0, 44_100), (len(segments) - 1, 9 * 44_100)):
        sound = found[number].samples_NC
        np.testing.assert_allclose(sound / 32768, real[at : at + len(sound)], atol=1e-4)


class Counted(Directory):
    """A store that counts the bytes that are read of it."""

    def __init__(self, root):
        super().__init__(root)
        self.read = 0

    def part(self, key, start, length):
        self.read += length
        return super().part(key, start, length)


@pytest.mark.parametrize(
    ("kind", "subtype", "around"), [("WAV", "PCM_16", 4), ("FLAC", "PCM_16", 6), ("OGG", "VORBIS", 6)]
)
def test_what_is_read_for_a_segment_does_not_depend_on_where_it_is(tmp_path, kind, subtype, around):
    noise = np.random.default_rng(0).normal(0, 0.1, (200 * 16_000, 1)).astype(np.float32)
    data = encoded(noise, 16_000, kind, subtype)
    (tmp_path / "long").write_bytes(data)
    store = Counted(tmp_path)
    info = store.head("long")
    own = len(data) / 200
    for start in (2.0, 100.0, 197.0):
        store.read = 0
        [(_, sound, seconds)] = cut(Ranges(store, info).buffered(), [(start, start + 1.0)])
        assert (len(sound.samples_NC), seconds) == (16_000, 200.0)
        assert store.read <= own + around * LEAST_READ


def test_a_read_that_fails_is_no_end_of_the_file(tmp_path, tone, catalog_of, monkeypatch):
    monkeypatch.setattr(fill, "LONG_BYTES", 1000)
    store, data = open_store(tmp_path / "store"), tmp_path / "data"
    data.mkdir()
    soundfile.write(data / "long.wav", tone(20.0), 16_000)
    catalog = catalog_of(store, data, {"long.wav": [(15.0, 17.0)]})
    part, tries = Directory.part, []

    def fails(self, key, start, length):
        if start:
            tries.append(start)
            raise EarmarkError("the network is away")
        return part(self, key, start, length)

    monkeypatch.setattr(Directory, "part", fails)
    with pytest.raises(EarmarkError, match="the network is away"):
        extract_features(store, catalog, SPEC, CONFIG, QUIET)
    assert len(tries) == 1


@pytest.fixture
def long_file(tmp_path, tone, monkeypatch):
    """A file that counts as long, three segments of it, and how its bytes are asked for."""
    monkeypatch.setattr(fill, "LONG_BYTES", 1000)
    root = tmp_path / "data"
    root.mkdir()
    path = root / "long.wav"
    soundfile.write(path, tone(60.0) * np.linspace(0.1, 1, 960_000), 16_000)
    asked = {"whole": 0, "parts": 0}
    get, part = Directory.get, Directory.part

    def whole(self, key):
        asked["whole"] += key == path.name
        return get(self, key)

    def some(self, key, start, length):
        asked["parts"] += length if key == path.name else 0
        return part(self, key, start, length)

    monkeypatch.setattr(Directory, "get", whole)
    monkeypatch.setattr(Directory, "part", some)
    return path, {path.name: [(1.0, 3.0), (30.0, 32.0), (57.0, 59.0)]}, asked


def test_extraction_reads_no_more_of_a_long_file_than_its_segments(tmp_path, long_file, catalog_of):
    path, segments, asked = long_file
    store = open_store(tmp_path / "store")
    patches = extract_features(store, catalog_of(store, path.parent, segments), SPEC, CONFIG, QUIET)
    assert asked["whole"] == 0
    assert asked["parts"] < path.stat().st_size / 2
    facts = {row["clip_key"]: row for row in read_table(patches.files["facts.parquet"].read(store)).to_pylist()}
    frames = FrameStore.open(store, patches)
    sounds = {
        found.sound_sha256: made
        for made, found in (frames_of(path.read_bytes(), SPEC, *s) for s in segments[path.name])
    }
    for row in read_table(patches.files["index.parquet"].read(store)).to_pylist():
        own_TF = frames.clip(row["shard"], row["first_row"], row["rows"])
        assert np.array_equal(own_TF, sounds.pop(facts[row["clip_key"]]["sound_sha256"]))
    assert sounds == {}


def test_a_long_file_that_was_only_touched_is_hashed_and_taken(tmp_path, long_file, catalog_of):
    path, segments, asked = long_file
    store = open_store(tmp_path / "store")
    catalog = catalog_of(store, path.parent, segments)
    os.utime(path, ns=(1, 1))
    assert extract_features(store, catalog, SPEC, CONFIG, QUIET).facts["extracted"] == 3
    assert path.stat().st_size < asked["parts"] < 2 * path.stat().st_size


@pytest.mark.parametrize(
    ("change", "what"),
    [("gone", "gone"), ("other", "has changed"), ("other meanwhile", "has changed"), ("cut meanwhile", "has changed")],
)
def test_a_long_file_that_is_not_what_the_catalog_says(tmp_path, long_file, catalog_of, monkeypatch, change, what):
    path, segments, _ = long_file
    store = open_store(tmp_path / "store")
    catalog = catalog_of(store, path.parent, segments)
    data = path.read_bytes()
    other = data[:1000] if change == "cut meanwhile" else data[:-2] + b"\1\1"
    part = Directory.part

    def changes(self, key, start, length):
        if path.read_bytes() != other:
            path.write_bytes(other)
            os.utime(path, ns=(1, 1))
        return part(self, key, start, length)

    if change == "gone":
        path.unlink()
    elif change == "other":
        path.write_bytes(other)
        os.utime(path, ns=(1, 1))
    else:
        monkeypatch.setattr(Directory, "part", changes)
    with pytest.raises(UserError, match=rf"long.wav .* {what} since .*run the same command again"):
        extract_features(store, catalog, SPEC, CONFIG, QUIET)
    assert not list(store.list("features/"))


def test_a_sound_to_look_at_is_that_of_extraction(tmp_path, real, monkeypatch):
    data = encoded(real, 44_100, "FLAC", "PCM_16")
    (tmp_path / "a.flac").write_bytes(data)
    store = Counted(tmp_path)
    expected = decode(data)
    for long in (False, True):
        files = SoundFiles(store)
        for segment in [(2.0, 3.0), (5.0, None), (None, None)]:
            sha256, sound = files.read("a.flac", segment)
            assert sha256 == hashlib.sha256(data).hexdigest()
            assert np.array_equal(sound.samples_NC, expected.segment(*segment).samples_NC)
        assert (store.read > 0) == long
        monkeypatch.setattr("earmark.features.sources.LONG_BYTES", 1000)
    (tmp_path / "a.flac").write_bytes(data + b"more")
    assert files.read("a.flac", (2.0, 3.0))[0] == hashlib.sha256(data + b"more").hexdigest()
    (tmp_path / "a.flac").unlink()
    with pytest.raises(MissingObject):
        files.read("a.flac", (2.0, 3.0))


def test_a_thousand_segments_of_one_file_spread_over_partitions(tmp_path, catalog_of):
    data = tmp_path / "data"
    data.mkdir()
    noise = np.random.default_rng(0).normal(0, 0.1, 1000 * 8_000).astype(np.float32)
    soundfile.write(data / "long.wav", noise, 8_000)
    assert (data / "long.wav").stat().st_size > LONG_BYTES
    segments = {"long.wav": [(float(at), at + 1.0) for at in range(1000)]}
    alone, apart = open_store(tmp_path / "alone"), open_store(tmp_path / "apart")
    expected = extract_features(alone, catalog_of(alone, data, segments), SPEC, CONFIG, QUIET)
    catalog = catalog_of(apart, data, segments)
    made = [extract_part(apart, catalog, SPEC, CONFIG, number, 4, QUIET).facts["clips"] for number in (1, 2, 3, 4)]
    assert sum(made) == 1000
    assert min(made) > 200
    found = extract_features(apart, catalog, SPEC, CONFIG, QUIET)
    assert (found.digest, found.facts["clips"]) == (expected.digest, 1000)
    assert len(fixed_plan(Parts(apart, SPEC), found.key, wanted(apart, catalog)).new) == 4
