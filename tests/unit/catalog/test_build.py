"""build_catalog: claims, digests, and what is refused before a clip is decoded."""

import json
import os
import shutil

import pytest

from earmark.catalog import build_catalog
from earmark.config import DataConfig
from earmark.errors import UserError
from earmark.progress import Progress
from earmark.store import open_store
from earmark.store.directory import Directory
from earmark.store.tables import read_table

QUIET = Progress("test", mode="off")


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that were opened for their bytes."""
    names = []
    get = Directory.get

    def counted(self, key):
        names.append(key)
        return get(self, key)

    monkeypatch.setattr(Directory, "get", counted)
    return names


def build(store, data, **config):
    return build_catalog(store, str(data), DataConfig(**config), QUIET)


def rows(store, manifest):
    return {row["clip_id"]: row for row in read_table(manifest.files["clips.parquet"].read(store)).to_pylist()}


def refusal(call, *arguments, **config):
    with pytest.raises(UserError) as error:
        call(*arguments, **config)
    assert "\n" not in str(error.value)
    return str(error.value)


def audio_reads(names):
    return [name for name in names if name.endswith(".wav")]


def test_the_examples(store, examples):
    manifest = build(store, examples)
    clips = rows(store, manifest)
    assert manifest.facts["data"] == str(examples)
    assert manifest.facts["source"] == "csv"
    assert (manifest.facts["clips"], len(manifest.facts["labels"]), manifest.facts["folds"]) == (
        120,
        10,
        ["1", "2", "3"],
    )
    assert not manifest.facts["multi_label"]
    clip = clips["audio/1-100032-A.ogg"]
    assert (clip["claimed_rate"], clip["claimed_channels"]) == (44_100, 1)
    assert clip["claimed_seconds"] == pytest.approx(5, abs=0.01)
    assert (clip["fold"], clip["group"]) == ("1", "100032")
    labels = json.loads(manifest.files["labels.json"].read(store))
    assert [label["count"] for label in labels] == [12] * 10
    assert labels[clip["labels"][0]] == {"index": 3, "id": "dog_bark", "name": "dog_bark", "count": 12}


def test_a_second_run_reads_no_clip(store, two_labels, reads):
    first = build(store, two_labels)
    assert len(audio_reads(reads)) == 16
    again = build(store, two_labels)
    assert again.reused
    assert again == first
    assert len(audio_reads(reads)) == 16


def test_a_new_clip_costs_only_itself(store, two_labels, write, noise, reads):
    first = build(store, two_labels)
    write("cat/new.wav", noise(77))
    reads.clear()
    second = build(store, two_labels)
    assert audio_reads(reads) == ["cat/new.wav"]
    assert rows(store, second).keys() - rows(store, first).keys() == {"cat/new.wav"}


def test_a_changed_clip_is_read_again(store, two_labels, write, noise):
    first = build(store, two_labels)
    write("cat/0.wav", noise(77))
    os.utime(two_labels / "cat/0.wav", ns=(1, 1))
    second = build(store, two_labels)
    before, after = rows(store, first), rows(store, second)
    assert [name for name in before if before[name] != after[name]] == ["cat/0.wav"]


def test_long_files_are_hashed_by_ranges_and_known_the_same(store, two_labels, reads, monkeypatch):
    at_once = build(store, two_labels)
    ranges = []
    part = Directory.part

    def counted(self, key, start, length):
        ranges.append((key, start, length))
        return part(self, key, start, length)

    told = []

    class Heard(Progress):
        def update(self, done, total, unit, **facts):
            told.append((done, total, unit, facts["gigabytes"]))

    monkeypatch.setattr(Directory, "part", counted)
    monkeypatch.setattr("earmark.catalog.headers.LONG_BYTES", 1000)
    monkeypatch.setattr("earmark.features.sources.HASHED_BYTES", 10_000)
    reads.clear()
    other = open_store(store.root / "other")
    by_ranges = build_catalog(other, str(two_labels), DataConfig(), Heard("test", mode="off"))
    assert rows(other, by_ranges) == rows(store, at_once)
    assert audio_reads(reads) == []
    size = (two_labels / "cat/0.wav").stat().st_size
    hashed = [(start, length) for key, start, length in ranges if key == "cat/0.wav" and length <= 10_000]
    assert hashed[:4] == [(0, 10_000), (10_000, 10_000), (20_000, 10_000), (30_000, size - 30_000)]
    assert told[-1] == (16, 16, "files", pytest.approx(16 * size / 1e9))
    assert (0, 16, "files", pytest.approx(1e-5)) in told


def test_the_catalog_tells_where_a_clip_is_listed_and_what_its_file_was(store, two_labels, write):
    lines = [f"{label}/{at}.wav,{label}\n" for label in ("cat", "dog") for at in range(8)]
    write("clips.csv", "file,label\n" + "".join(lines))
    first = build(store, two_labels)
    clip = rows(store, first)["cat/1.wav"]
    stat = (two_labels / "cat/1.wav").stat()
    assert (clip["place"], clip["size"], clip["mark"]) == ("clips.csv line 3", stat.st_size, str(stat.st_mtime_ns))
    write("clips.csv", "file,label\n\n\n" + "".join(lines))
    os.utime(two_labels / "cat/1.wav", ns=(1, 1))
    moved = build(store, two_labels)
    clip = rows(store, moved)["cat/1.wav"]
    assert (clip["place"], clip["mark"]) == ("clips.csv line 5", "1")
    assert moved.digest == first.digest


def test_damaged_knowledge_of_headers_is_dropped_and_made_anew(store, two_labels, write, noise, reads):
    build(store, two_labels)
    kept = [info.key for info in store.list("catalog/")]
    assert len(kept) == 1
    store.put(kept[0], store.get(kept[0])[:-40] + bytes(40))
    write("cat/new.wav", noise(77))
    reads.clear()
    build(store, two_labels)
    assert len(audio_reads(reads)) == 17
    assert store.head(kept[0]) is None


def test_the_digest_is_free_of_where_the_data_lies(store, two_labels, tmp_path):
    shutil.copytree(two_labels, tmp_path / "elsewhere")
    here, there = build(store, two_labels), build(store, tmp_path / "elsewhere")
    assert here.digest == there.digest
    assert there.facts["data"] == str(tmp_path / "elsewhere")


def test_the_digest_follows_labels(store, two_labels):
    first = build(store, two_labels)
    (two_labels / "dog/0.wav").rename(two_labels / "cat/other.wav")
    assert build(store, two_labels).digest != first.digest


def test_a_clip_is_its_own_group_under_any_name(store, two_labels):
    first = rows(store, build(store, two_labels))["dog/0.wav"]
    (two_labels / "dog/0.wav").rename(two_labels / "dog/renamed.wav")
    assert rows(store, build(store, two_labels))["dog/renamed.wav"]["group"] == first["group"] == first["sha256"]


def test_missing_files_are_rows_without_digest(store, two_labels, write):
    lines = "".join(f"{label}/{at}.wav,{label}\n" for label in ("cat", "dog") for at in range(9))
    write("clips.csv", "file,label\n" + lines)
    clip = rows(store, build(store, two_labels))["cat/8.wav"]
    assert (clip["sha256"], clip["claimed_rate"], clip["group"]) == ("", None, "cat/8.wav")


def test_headers_that_cannot_be_read_claim_nothing(store, two_labels, write):
    write("cat/text.wav", "no sound")
    clip = rows(store, build(store, two_labels))["cat/text.wav"]
    assert (clip["claimed_rate"], clip["claimed_channels"], clip["claimed_seconds"]) == (None, None, None)
    assert len(clip["sha256"]) == 64


def test_declared_labels_keep_their_ids_and_order(store, two_labels, write):
    write("labels.csv", "mid,display_name\n/m/2,dog\n/m/1,cat\n/m/3,bird\n")
    labels = json.loads(build(store, two_labels).files["labels.json"].read(store))
    assert [(label["index"], label["id"], label["name"], label["count"]) for label in labels] == [
        (0, "/m/2", "dog", 8),
        (1, "/m/1", "cat", 8),
    ]


def test_no_data(store, tmp_path, write, two_labels):
    told = refusal(build, store, tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in told
    assert "--data" in told
    assert "clips.csv is not there" in refusal(build, store, two_labels / "clips.csv")
    assert "is a file" in refusal(build, store, two_labels / "cat/0.wav")


def test_a_folder_without_audio(store, write):
    told = refusal(build, store, write("notes/read.txt", "no audio"))
    assert "no audio below" in told
    assert "one folder a label" in told


def test_one_label_only(store, write, noise):
    for seed in range(4):
        root = write(f"audio/{seed}.wav", noise(seed))
    told = refusal(build, store, root)
    assert "one label, 'audio'" in told
    assert "two or more" in told


def test_a_label_with_fewer_clips_than_splits_is_named_before_any_is_read(store, two_labels, write, noise, reads):
    write("bird/1.wav", noise(50))
    write("bird/2.wav", noise(51))
    assert "label 'bird' has 2 groups" in refusal(build, store, two_labels)
    assert audio_reads(reads) == []


def test_an_unknown_test_fold_is_refused_also_when_the_catalog_is_there(store, three_labels):
    build(store, three_labels)
    told = refusal(build, store, three_labels, test_folds=("4",))
    assert "'4'" in told
    assert "known: 1, 2, 3" in told
