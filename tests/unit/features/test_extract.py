from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.config import DataConfig
from earmark.errors import UserError
from earmark.features import FeatureSpec, FrameStore, extract_features, frames_of
from earmark.features.isolated import Workers
from earmark.progress import Progress
from earmark.store import Store, open_store
from earmark.store.tables import read_table

SPEC, CONFIG = FeatureSpec(), DataConfig()
KILLS = 12

EXTRACTION = """
import sys
from earmark.config import DataConfig, FeatureSpec
from earmark.features import extract_features, shards
from earmark.progress import Progress
from earmark.store import find, open_store
shards.SHARD_BYTES = 200_000
store = open_store(sys.argv[1])
catalog = find(store, "build_catalog", sys.argv[2])
print("begun", flush=True)
extract_features(store, catalog, FeatureSpec(), DataConfig(), Progress("extract_features", mode="off"))
"""


class Heard(Progress):
    """Progress that remembers what it was told."""

    def __init__(self):
        super().__init__("extract_features", mode="off")
        self.notes, self.counts = [], []

    def note(self, message):
        self.notes.append(message)

    def update(self, done, total, unit, **facts):
        self.counts.append((done, total, unit))


def extract(store, catalog, spec=SPEC, config=CONFIG):
    heard = Heard()
    return extract_features(store, catalog, spec, config, heard), heard


def table(store, manifest, name):
    return {row["clip_key"]: row for row in read_table(manifest.files[name].read(store)).to_pylist()}


def objects(store: Store, prefix: str = "") -> dict[str, bytes]:
    return {info.key: store.get(info.key) for info in store.list(prefix)}


@pytest.fixture
def data(tmp_path, recordings) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for path in recordings[:4]:
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_every_clip_has_its_frames_and_facts(tmp_path, data, catalog_of):
    store = open_store(tmp_path / "store")
    patches, heard = extract(store, catalog_of(store, data))
    index, facts = table(store, patches, "index.parquet"), table(store, patches, "facts.parquet")
    assert list(index) == sorted(index) == list(facts)
    frames = FrameStore.open(store, patches)
    expected = [frames_of(path.read_bytes(), SPEC) for path in data.iterdir()]
    by_sound = {found.sound_sha256: frames_TF for frames_TF, found in expected}
    for key, row in index.items():
        own = frames.clip(row["shard"], row["first_row"], row["rows"])
        np.testing.assert_array_equal(own, by_sound[facts[key]["sound_sha256"]])
        assert facts[key]["reason"] is None
    assert patches.facts["clips"] == patches.facts["extracted"] == 4
    assert patches.facts["patches"] == sum(len(frames_TF) // 96 for frames_TF, _ in expected)
    assert patches.facts["seconds"] == pytest.approx(sum(found.seconds for _, found in expected))
    assert heard.counts[-1] == (4, 4, "clips")


def test_a_second_run_extracts_nothing_and_a_new_clip_costs_only_itself(tmp_path, data, recordings, catalog_of):
    store = open_store(tmp_path / "store")
    first, _ = extract(store, catalog_of(store, data))
    kept = objects(store)
    again, heard = extract(store, catalog_of(store, data))
    assert again == first
    assert again.reused
    assert heard.counts == []
    assert heard.notes == ["all 4 clips have their features: nothing to extract"]
    assert objects(store) == kept

    (data / "new.ogg").write_bytes(recordings[5].read_bytes())
    more, heard = extract(store, catalog_of(store, data))
    assert more.facts["clips"] == 5
    assert more.facts["extracted"] == 1
    assert heard.counts == [(4, 5, "clips"), (5, 5, "clips")]
    assert {key: value for key, value in objects(store).items() if key in kept} == kept
    assert more.digest != first.digest

    (data / "new.ogg").unlink()
    (data / "renamed.ogg").write_bytes((data / recordings[0].name).read_bytes())
    same_sounds, heard = extract(store, catalog_of(store, data))
    assert same_sounds.digest == first.digest  # a copy under another name is the same clip
    assert heard.notes == ["all 4 clips have their features: nothing to extract"]


def test_the_digest_is_free_of_how_shards_lie(tmp_path, data, recordings, catalog_of):
    grown, whole = open_store(tmp_path / "grown"), open_store(tmp_path / "whole")
    extract(grown, catalog_of(grown, data))
    (data / "new.ogg").write_bytes(recordings[5].read_bytes())
    in_two, _ = extract(grown, catalog_of(grown, data))
    at_once, _ = extract(whole, catalog_of(whole, data))
    assert (in_two.facts["shards"], at_once.facts["shards"]) == (2, 1)
    assert in_two.digest == at_once.digest


def test_bad_clips_are_rows_of_the_facts_and_stop_nothing(tmp_path, tone, recordings, catalog_of):
    store, data = open_store(tmp_path / "store"), tmp_path / "data"
    data.mkdir()
    good = recordings[0].read_bytes()
    (data / "good.ogg").write_bytes(good)
    (data / "empty.wav").write_bytes(b"")
    (data / "text.mp3").write_text("not a sound at all, but text of some length")
    soundfile.write(data / "silent.wav", 1e-5 * tone(2.0), 16000, subtype="FLOAT")
    soundfile.write(data / "short.wav", tone(0.5), 16000)
    soundfile.write(data / "nan.wav", np.full(32000, np.nan), 16000, subtype="FLOAT")
    catalog = catalog_of(store, data, missing=["gone.wav", "also gone.wav"])
    patches, _ = extract(store, catalog, FeatureSpec(tail="drop"))
    facts = table(store, patches, "facts.parquet")
    assert sorted(row["reason"] or "" for row in facts.values()) == [
        "",
        "cannot be decoded: format not recognised",
        "empty",
        "missing file",
        "not finite",
        "shorter than one patch",
        "silent",
    ]
    assert facts[""]["reason"] == "missing file"
    index = table(store, patches, "index.parquet")
    assert [facts[key]["reason"] for key in index] == [None]
    assert patches.facts["patches"] == frames_of(good, FeatureSpec(tail="drop"))[0].shape[0] // 96


def test_only_bad_clips_are_a_result_too(tmp_path, catalog_of):
    store, data = open_store(tmp_path / "store"), tmp_path / "data"
    data.mkdir()
    (data / "empty.wav").write_bytes(b"")
    patches, _ = extract(store, catalog_of(store, data, missing=["gone.wav"]))
    assert (patches.facts["patches"], patches.facts["shards"]) == (0, 0)
    assert read_table(patches.files["index.parquet"].read(store)).num_rows == 0
    assert FrameStore.open(store, patches).shards == []


def test_another_silence_threshold_decodes_nothing(tmp_path, tone, catalog_of):
    store, data = open_store(tmp_path / "store"), tmp_path / "data"
    data.mkdir()
    soundfile.write(data / "quiet.wav", 1e-3 * tone(2.0), 16000)
    catalog = catalog_of(store, data)
    strict, _ = extract(store, catalog, config=DataConfig(silence_dbfs=-40.0))
    assert strict.facts["patches"] == 0
    lenient, heard = extract(store, catalog)
    assert lenient.facts["patches"] == 3
    assert lenient.digest != strict.digest
    assert lenient.facts["extracted"] == 0
    assert heard.notes


def test_segments_share_one_decoding(tmp_path, tone, catalog_of, monkeypatch):
    store, data = open_store(tmp_path / "store"), tmp_path / "data"
    data.mkdir()
    soundfile.write(data / "long.wav", tone(6.0) * np.linspace(0.1, 1, 96000), 16000)
    segments, asked, real = [(0.0, 2.0), (2.0, 4.0), (4.0, None)], [], Workers.frames
    monkeypatch.setattr(Workers, "frames", lambda *arguments: asked.append(arguments[-1]) or real(*arguments))
    patches, _ = extract(store, catalog_of(store, data, {"long.wav": segments}))
    assert asked == [segments]
    seconds = [row["seconds"] for row in table(store, patches, "facts.parquet").values()]
    assert seconds == [2.0, 2.0, 2.0]
    assert len({row["first_row"] for row in table(store, patches, "index.parquet").values()}) == 3


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_a_file_that_is_not_what_the_catalog_says(tmp_path, data, catalog_of, change):
    store = open_store(tmp_path / "store")
    catalog = catalog_of(store, data)
    victim = sorted(data.iterdir())[1]
    if change == "gone":
        victim.unlink()
    else:
        victim.write_bytes(b"another sound")
    with pytest.raises(UserError, match=rf"{victim.name} .* {change} since .*run the same command again"):
        extract(store, catalog)
    assert not list(store.list("features/"))


def test_specs_are_kept_apart(tmp_path, data, catalog_of):
    store = open_store(tmp_path / "store")
    catalog = catalog_of(store, data)
    made = [extract(store, catalog, FeatureSpec(storage=s))[0] for s in ("uint8", "float16")]
    assert made[0].digest != made[1].digest
    dtypes = [FrameStore.open(store, patches).gather(np.array([0]), np.array([0])).dtype for patches in made]
    assert dtypes == [np.uint8, np.float16]


def test_killed_at_any_instant_and_resumed_it_ends_the_same(tmp_path, catalog_of):
    """A real process, killed a dozen times at random instants, in whatever it was doing."""
    data = tmp_path / "data"
    data.mkdir()
    rng = np.random.default_rng(0)
    for i in range(120):
        soundfile.write(data / f"{i:03}.wav", rng.normal(0, 0.1, 66_150), 44100)
    calm, rough = open_store(tmp_path / "calm"), open_store(tmp_path / "rough")
    catalog_of(rough, data)
    key = catalog_of(calm, data).key

    def begin(store: Store) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", EXTRACTION, store.uri, key], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout.readline() == b"begun\n"
        return process

    def finish(process: subprocess.Popen) -> None:
        _, said = process.communicate()
        assert process.returncode == 0, said.decode()

    started = time.monotonic()
    finish(begin(calm))
    whole_run = time.monotonic() - started
    expected = objects(calm)
    assert len([key for key in expected if key.endswith(".frames")]) > 20
    instants, killed = random.Random(7), 0
    while killed < KILLS:
        process = begin(rough)
        try:
            process.wait(instants.uniform(0, whole_run / 5))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
        else:  # it came to its end: what it left is looked at, and the next round begins with nothing
            finish(process)
            assert objects(rough) == expected
            for made in list(rough.list("features/")) + list(rough.list("results/extract_features/")):
                rough.delete(made.key)
    finish(begin(rough))
    assert objects(rough) == expected
