"""Clips, shards and training on a bucket: the same results as on a disk, byte for byte, by identities of few rights."""

import fcntl
import threading
import uuid
from types import SimpleNamespace

import numpy as np
import pytest

from earmark.catalog import Dataset, assemble_dataset, build_catalog
from earmark.config import DataConfig, FeatureSpec, make_config
from earmark.errors import UserError
from earmark.features import FrameStore, extract_features, shards
from earmark.progress import Progress
from earmark.store import CorruptObject, open_store
from earmark.store.cache import PARTIAL
from earmark.tracking import RunContext
from earmark.training import train_model

QUIET = Progress("test", mode="off")
CONFIG = DataConfig(validation_share=0.25)


def steps(store, data):
    catalog = build_catalog(store, data, CONFIG, QUIET)
    patches = extract_features(store, catalog, FeatureSpec(), CONFIG, QUIET)
    return SimpleNamespace(
        store=store,
        catalog=catalog,
        patches=patches,
        dataset=assemble_dataset(store, catalog, patches, CONFIG, QUIET),
    )


def be(monkeypatch, server, identity, cache):
    for name, value in {**server.environment(identity), "EARMARK_CACHE": str(cache)}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def made(seaweedfs, three_labels, tmp_path_factory):
    """The same clips taken through the same steps on a disk and, as ``features``, on two buckets, in small shards."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(shards, "SHARD_BYTES", 200_000)
        name = uuid.uuid4().hex
        be(monkeypatch, seaweedfs, "admin", tmp_path_factory.mktemp("cache"))
        sounds = open_store(f"s3://sounds/{name}")
        for path in three_labels.rglob("*"):
            if path.is_file():
                sounds.put(path.relative_to(three_labels).as_posix(), path.read_bytes())
        be(monkeypatch, seaweedfs, "features", tmp_path_factory.mktemp("cache"))
        bucket = steps(open_store(f"s3://earmark/{name}"), sounds.uri)
        disk = steps(open_store(tmp_path_factory.mktemp("store")), str(three_labels))
        yield SimpleNamespace(bucket=bucket, disk=disk, sounds=sounds)


@pytest.fixture
def trainer(seaweedfs, monkeypatch, tmp_path):
    be(monkeypatch, seaweedfs, "trainer", tmp_path / "cache")
    return tmp_path / "cache"


class Held:
    """Shards that do not arrive until they are let go: their partial copies are locked, as by another process."""

    def __init__(self, store, patches, numbers):
        self.files = []
        for number in numbers:
            path = self.path(store, patches, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.with_name(path.name + PARTIAL).open("wb")
            fcntl.flock(file, fcntl.LOCK_EX)
            self.files.append(file)

    @staticmethod
    def path(store, patches, number):
        key = patches.files[f"shard-{number:04d}"].object
        return store._copy(key, store._found(key)).path

    def let_go(self):
        for file in self.files:
            file.close()


def patches_of(dataset, count=64):
    clips = [dataset.clips("train")[number] for number in np.random.default_rng(0).integers(0, 10, count)]
    rows = [clip.first_row + (7 * number) % (clip.rows - 95) for number, clip in enumerate(clips)]
    return np.array([clip.shard for clip in clips]), np.array(rows)


def test_a_bucket_gives_the_same_dataset_as_a_folder(made):
    assert made.bucket.catalog.facts["data"] == made.sounds.uri
    for step in ("catalog", "patches", "dataset"):
        assert getattr(made.bucket, step).digest == getattr(made.disk, step).digest
    assert made.bucket.patches.facts["shards"] > 3


def test_a_named_csv_in_a_bucket_is_the_data(made, seaweedfs, monkeypatch, tmp_path):
    be(monkeypatch, seaweedfs, "features", tmp_path)
    catalog = build_catalog(made.bucket.store, f"{made.sounds.uri}/clips.csv", CONFIG, QUIET)
    assert catalog.digest == made.bucket.catalog.digest
    with pytest.raises(UserError, match=r"nothing\.csv is not there"):
        build_catalog(made.bucket.store, f"{made.sounds.uri}/nothing.csv", CONFIG, QUIET)
    with pytest.raises(UserError, match=r"no audio below s3://sounds/nowhere"):
        build_catalog(made.bucket.store, "s3://sounds/nowhere", CONFIG, QUIET)


def test_a_changed_clip_is_read_again_and_no_other(made, seaweedfs, monkeypatch, tmp_path):
    be(monkeypatch, seaweedfs, "admin", tmp_path)
    key = next(info.key for info in made.sounds.list() if info.key.endswith(".ogg"))
    data = made.sounds.get(key)
    made.sounds.put(key, data + b"\0")
    try:
        be(monkeypatch, seaweedfs, "features", tmp_path)
        read = []
        store = type(made.sounds)
        get = store.get
        monkeypatch.setattr(store, "get", lambda self, key: (read.append(key), get(self, key))[1])
        again = build_catalog(made.bucket.store, made.sounds.uri, CONFIG, QUIET)
        assert again.digest != made.bucket.catalog.digest
        assert [each for each in read if each.endswith(".ogg")] == [key]
    finally:
        be(monkeypatch, seaweedfs, "admin", tmp_path)
        made.sounds.put(key, data)


def test_patches_are_the_same_while_shards_arrive_and_once_they_are_there(made, trainer):
    on_disk = Dataset.open(made.disk.store, made.disk.dataset, made.disk.patches)
    dataset = Dataset.open(made.bucket.store, made.bucket.dataset, made.bucket.patches)
    count = made.bucket.patches.facts["shards"]
    held = Held(made.bucket.store, made.bucket.patches, range(1, count))
    expected = on_disk.frames.gather(*patches_of(on_disk))
    frames = dataset.frames
    np.testing.assert_array_equal(frames.gather(*patches_of(dataset)), expected)
    frames.expect(*patches_of(dataset))
    assert sorted(path for path in trainer.rglob("*") if path.is_file() and path.suffix != PARTIAL) in (
        [],
        [Held.path(made.bucket.store, made.bucket.patches, 0)],
    )
    with pytest.raises(IndexError):
        frames.gather(np.array([1]), np.array([10**6]))
    held.let_go()
    clips = dataset.clips("train")
    for clip, other in zip(clips, on_disk.clips("train"), strict=True):
        np.testing.assert_array_equal(
            frames.clip(clip.shard, clip.first_row, clip.rows),
            on_disk.frames.clip(other.shard, other.first_row, other.rows),
        )
    assert len(frames.shards) == count
    for _ in range(2):
        np.testing.assert_array_equal(frames.gather(*patches_of(dataset)), expected)
    assert np.shares_memory(frames.clip(1, 0, 96), frames.shards[1])
    np.testing.assert_array_equal(
        frames.silent_share(*patches_of(dataset)), on_disk.frames.silent_share(*patches_of(on_disk))
    )


def test_what_needs_whole_shards_waits_for_them(made, trainer):
    held = Held(made.bucket.store, made.bucket.patches, [1])
    frames = FrameStore.open(made.bucket.store, made.bucket.patches)
    done = []
    waiting = [
        threading.Thread(target=lambda: done.append(frames.clip(1, 0, 96))),
        threading.Thread(target=lambda: done.append(frames.silent_share(np.array([0]), np.array([0])))),
    ]
    for thread in waiting:
        thread.start()
    frames.clip(0, 0, 96)
    assert done == []
    held.let_go()
    for thread in waiting:
        thread.join()
    assert len(done) == 2


def test_a_damaged_shard_stops_whoever_reads_any(made, trainer, seaweedfs, monkeypatch, tmp_path):
    ref = made.bucket.patches.files["shard-0001"]
    data = made.bucket.store.get(ref.object)
    be(monkeypatch, seaweedfs, "admin", tmp_path / "other")
    made.bucket.store.put(ref.object, data[:-1] + bytes([data[-1] ^ 1]))
    try:
        be(monkeypatch, seaweedfs, "trainer", trainer)
        frames = FrameStore.open(made.bucket.store, made.bucket.patches)
        with pytest.raises(CorruptObject, match=r"\.frames .*delete it and run the same command again"):
            frames.clip(1, 0, 96)
        with pytest.raises(CorruptObject, match=r"\.frames"):
            frames.gather(np.array([0]), np.array([0]))
    finally:
        be(monkeypatch, seaweedfs, "admin", tmp_path / "other")
        made.bucket.store.put(ref.object, data)


def test_training_on_a_bucket_gives_the_weights_of_training_on_a_disk(made, trainer, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    train = {"steps": 10, "batch_size": 16, "precision": "fp32", "max_silent_share": 1.0}
    config = make_config("quick", {"train": train, "architecture": {"name": "fully_connected", "width": 0.05}})
    trained = [
        train_model(at.store, at.dataset, at.patches, "net", config, RunContext(run="r", pipeline="test"), QUIET)
        for at in (made.disk, made.bucket)
    ]
    assert trained[0].files["weights.safetensors"].sha256 == trained[1].files["weights.safetensors"].sha256
    assert list(trainer.rglob("*"))
