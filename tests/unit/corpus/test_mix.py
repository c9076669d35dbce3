"""Mixed scenes: the same bytes for a seed, no source on two sides, times and levels as stated."""

import csv
from collections import defaultdict

import numpy as np
import pytest
import soundfile

from earmark.catalog.root import open_root
from earmark.catalog.splits import SPLITS
from earmark.config import make_config
from earmark.corpus import Mix, Source, mix, mixing, prepare
from earmark.corpus.scenes import heard
from earmark.errors import UserError
from earmark.progress import Progress
from earmark.store import open_store

RATE = 16_000
QUIET = Progress("test", mode="off")


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture
def mixed(tones, tmp_path):
    """Mix the tones into a folder of that name; returns the folder."""
    sources = [
        Source(row["file"], row["file"], row["file"], None, None, (row["label"],), row["split"])
        for row in rows_of(tones / "clips.csv")
    ]

    def make(name, **numbers):
        how = Mix(**{"scenes": 12, "seconds": 4.0, **numbers})
        mix(open_store(tones), sources, SPLITS, tmp_path / name, how, QUIET)
        return tmp_path / name

    return make


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_makes_the_same_bytes_with_any_number_of_threads(mixed, monkeypatch):
    one = content(mixed("one"))
    monkeypatch.setattr(mixing, "THREADS", 5)
    assert content(mixed("other")) == one
    assert content(mixed("seeded", seed=1)).keys() == one.keys()
    assert content(mixed("seeded", seed=1)) != one


def test_what_is_there_and_whole_is_not_made_again(mixed):
    folder = mixed("scenes")
    before = content(folder)
    lost, cut, *others = sorted((folder / "audio").iterdir())
    times = {path: path.stat().st_mtime_ns for path in others}
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[:3000])
    mixed("scenes")
    assert content(folder) == before
    assert {path: path.stat().st_mtime_ns for path in others} == times


def test_a_folder_with_another_mix_or_something_else_is_left_alone(mixed, tmp_path):
    folder = mixed("scenes")
    before = content(folder)
    with pytest.raises(UserError, match="holds something else"):
        mixed("scenes", seed=1)
    assert content(folder) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="choose an empty or new folder"):
        mixed("mine")


def test_no_source_is_in_two_splits_and_every_event_is_a_label_of_its_scene(mixed):
    folder = mixed("scenes", scenes=60)
    scenes = {row["group"]: row for row in rows_of(folder / "scenes.csv")}
    used = defaultdict(set)
    for event in rows_of(folder / "events.csv"):
        scene = scenes[event["scene"]]
        used[event["source"]].add(scene["split"])
        assert event["label"] in scene["label"].split(";")
    assert all(len(splits) == 1 for splits in used.values())
    assert {row["split"] for row in scenes.values()} == set(SPLITS)


def test_levels_and_times_are_as_stated(mixed):
    """A scene of one event: the bed is heard beside it, the event and the bed within it."""
    folder = mixed("scenes", scenes=20, events=(1, 1), snr_db=(0.0, 15.0))
    events = rows_of(folder / "events.csv")
    assert len(events) == 20
    for event in events:
        sound_N, rate = soundfile.read(folder / "audio" / f"{event['scene']}.flac")
        first, last = (round(float(event[name]) * RATE) for name in ("start_s", "end_s"))
        inside_N = np.zeros(len(sound_N), bool)
        inside_N[first:last] = True
        bed, both = np.square(sound_N[~inside_N]).mean(), np.square(sound_N[inside_N]).mean()
        assert rate == RATE
        assert len(sound_N) == 4 * RATE
        assert np.abs(sound_N).max() <= 0.9 + 1e-4
        assert 10 * np.log10((both - bed) / bed) == pytest.approx(float(event["snr_db"]), abs=1.0)


def test_an_event_begins_and_ends_when_it_is_said_to(mixed):
    folder = mixed("scenes", scenes=10, events=(1, 1), snr_db=(40.0, 40.0))
    for event in rows_of(folder / "events.csv"):
        sound_N, _ = soundfile.read(folder / "audio" / f"{event['scene']}.flac")
        power_K = np.square(sound_N.reshape(-1, 160)).mean(1)
        (loud,) = np.nonzero(power_K > power_K.max() / 4)
        assert loud[0] * 0.01 == pytest.approx(float(event["start_s"]), abs=0.02)
        assert (loud[-1] + 1) * 0.01 == pytest.approx(float(event["end_s"]), abs=0.02)


def test_skew_makes_labels_uneven(mixed):
    counts = {}
    for skew in (0.0, 2.0):
        events = rows_of(mixed(f"skew {skew}", scenes=150, seconds=1.0, skew=skew) / "events.csv")
        labels = [event["label"] for event in events]
        counts[skew] = sorted(labels.count(label) / len(labels) for label in set(labels))
    assert counts[0.0] == pytest.approx([1 / 3] * 3, abs=0.1)
    assert counts[2.0] == pytest.approx([4 / 49, 9 / 49, 36 / 49], abs=0.1)


def test_silence_around_a_clip_is_trimmed_and_a_clip_without_sound_is_no_source():
    sound_N = np.zeros(RATE, np.float32)
    assert heard(sound_N) is None
    sound_N[4800:9600] = 0.1
    found = heard(sound_N)
    assert (found.first, found.length) == (4800, 4800)


def test_the_folder_is_a_data_set_and_says_where_it_comes_from(mixed, tmp_path):
    folder = mixed("scenes", scenes=60)
    found = prepare(open_store(tmp_path / "store"), str(folder), make_config("modern", {}), lambda _: QUIET)
    assert open_root(str(folder)).csvs == ["events.csv", "scenes.csv"]
    assert found.catalog.facts["source"] == "csv"
    assert found.catalog.facts["multi_label"]
    assert sum(found.dataset.facts["clips"].values()) == 60
    assert (folder / "sources" / "LICENSE").read_text() == "Made here.\n"
    assert "seed 0" in (folder / "README.txt").read_text()
