"""Clips, shards and training on a bucket: the same results as on a disk, byte for byte, by identities of few rights."""

import fcntl
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from earmark.catalog import Dataset, assemble_dataset, build_catalog
from earmark.config import DataConfig, FeatureSpec, make_config
from earmark.errors import UserError
from earmark.features import FrameStore, extract_features, extract_part, shards
from earmark.pipelines.upkeep import DAY, rubbish
from earmark.progress import Progress
from earmark.store import CorruptObject, find, once, open_store
from earmark.store.cache import PARTIAL
from earmark.store.s3 import S3
from earmark.training.checkpoint import Checkpoints
from earmark.training.loop import Trainer
from earmark.training.origin import origin

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


def test_two_runs_partitions_side_by_side_make_one_result_in_a_bucket(made, seaweedfs, monkeypatch, tmp_path):
    be(monkeypatch, seaweedfs, "features", tmp_path)
    store = open_store(f"s3://earmark/{uuid.uuid4().hex}")
    catalog = build_catalog(store, made.sounds.uri, CONFIG, QUIET)
    begin = threading.Barrier(6, timeout=60)

    def partition(part):
        begin.wait()
        return extract_part(store, catalog, FeatureSpec(), CONFIG, part, 3, QUIET)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(partition, (1, 2, 3, 1, 2, 3)))
    assert found[:3] == found[3:]
    patches = extract_features(store, catalog, FeatureSpec(), CONFIG, QUIET)
    assert patches.digest == made.disk.patches.digest
    named = {ref.object for part in found for ref in part.files.values()}
    assert named == {info.key for info in store.list("features/") if info.key.endswith(".frames")}
    assert named < {ref.object for ref in patches.files.values()}


def test_segments_of_a_long_file_in_a_bucket_cost_their_own_bytes(seaweedfs, monkeypatch, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    noise = np.random.default_rng(0).normal(0, 0.1, 400 * 16_000)
    lines = []
    for name in ("long.wav", "long.flac"):
        with soundfile.SoundFile(data / name, "w", 16_000, 1) as file:
            for second in np.split(noise, 400):
                file.write(second)
        lines += [f"{name},{'ab'[at % 2]},{at},{at + 2},{name[5]}{at}\n" for at in (3, 100, 222, 397)]
    (data / "clips.csv").write_text("file,label,start,end,group\n" + "".join(lines))
    be(monkeypatch, seaweedfs, "admin", tmp_path / "cache")
    sounds = open_store(f"s3://sounds/{uuid.uuid4().hex}")
    for path in data.iterdir():
        sounds.put(path.name, path.read_bytes())
    read = []
    part, get = S3.part, S3.get

    def ranged(self, key, start, length):
        read.append(length)
        return part(self, key, start, length)

    def whole(self, key):
        data = get(self, key)
        read.append(len(data) if key.startswith("long.") else 0)
        return data

    monkeypatch.setattr(S3, "part", ranged)
    monkeypatch.setattr(S3, "get", whole)
    found = {}
    for place in (str(data), sounds.uri):
        store = open_store(tmp_path / f"store{len(found)}")
        catalog = build_catalog(store, place, CONFIG, QUIET)
        read.clear()
        found[place] = extract_features(store, catalog, FeatureSpec(), CONFIG, QUIET)
    assert len({patches.digest for patches in found.values()}) == 1
    assert 0 < sum(read) < 4_000_000 < (data / "long.wav").stat().st_size


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
        np.testing.assert_array_equal(
            frames.silent_share(clip.shard, clip.first_row, clip.rows),
            on_disk.frames.silent_share(other.shard, other.first_row, other.rows),
        )
    assert len(frames.shards) == count
    for _ in range(2):
        np.testing.assert_array_equal(frames.gather(*patches_of(dataset)), expected)
    assert np.shares_memory(frames.clip(1, 0, 96), frames.shards[1])


def test_what_needs_whole_shards_waits_for_them(made, trainer):
    held = Held(made.bucket.store, made.bucket.patches, [1])
    frames = FrameStore.open(made.bucket.store, made.bucket.patches)
    done = []
    waiting = [
        threading.Thread(target=lambda: done.append(frames.clip(1, 0, 96))),
        threading.Thread(target=lambda: done.append(frames.silent_share(1, 0, 96))),
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


def fully_connected(**train):
    part = {"steps": 12, "batch_size": 16, "precision": "fp32", "max_silent_share": 1.0, "keep_checkpoints": 1, **train}
    architecture = {"name": "fully_connected", "width": 0.05}
    return make_config("quick", {"train": part, "architecture": architecture, "evaluate": {"max_silent_share": 1.0}})


def weights(at, config, begin=lambda: None):
    """The weights after training with a checkpoint after each step; ``begin`` is called once steps are done."""
    told = origin(config, at.dataset.digest)
    checkpoints = Checkpoints(at.store, "results/train_model/k", 1, QUIET.note, told)

    class Trains(Trainer):
        def train_step(self, batch):
            super().train_step(batch)
            if self.step == 3:
                begin()

    dataset = Dataset.open(at.store, at.dataset, at.patches)
    network = Trains(dataset, config, checkpoints, QUIET, lambda *row: None).train()
    left = {info.key.rpartition("/")[2] for info in at.store.list("results/train_model/k/checkpoints/")}
    assert left == {"state.safetensors", "done.json"}
    return {name: tensor.numpy().tobytes() for name, tensor in network.state_dict().items()}


def test_training_while_shards_arrive_gives_the_weights_of_training_on_a_disk(made, trainer):
    config = fully_connected()
    held = Held(made.bucket.store, made.bucket.patches, range(made.bucket.patches.facts["shards"]))
    assert weights(made.bucket, config, held.let_go) == weights(made.disk, config)


def test_training_outlives_a_restart_of_the_server(made, seaweedfs_own, monkeypatch, tmp_path):
    config = fully_connected(checkpoint_every_seconds=0.0)
    expected = weights(made.disk, config)
    be(monkeypatch, seaweedfs_own, "admin", tmp_path / "cache")
    store = open_store("s3://earmark/own")
    for info in made.disk.store.list():
        if not info.key.startswith("results/train_model/"):
            store.put(info.key, made.disk.store.get(info.key))
    starting = threading.Thread(target=seaweedfs_own.start)

    def restart():
        seaweedfs_own.kill()
        starting.start()

    at = SimpleNamespace(store=store, dataset=made.disk.dataset, patches=made.disk.patches)
    assert weights(at, config, restart) == expected
    starting.join()


def test_what_nothing_names_is_removed_from_a_bucket_too(made, seaweedfs, monkeypatch, tmp_path):
    be(monkeypatch, seaweedfs, "admin", tmp_path / "cache")
    store = open_store(f"s3://earmark/{uuid.uuid4().hex}")
    once(store, "step", "k", lambda attempt: attempt.put("kept.txt", b"1"))
    store.put("results/step/killed/half.txt", b"1")
    client = seaweedfs.client()
    upload = client._create_multipart_upload("earmark", f"{store.prefix}/results/step/k/big.bin", {})
    client._upload_part("earmark", f"{store.prefix}/results/step/k/big.bin", b"x" * 100, None, upload, 1)
    assert list(rubbish(store, time.time() - DAY)) == []
    found = list(rubbish(store, time.time() + DAY))
    assert [(one.name, one.size) for one in found] == [
        ("results/step/killed/half.txt", 1),
        ("results/step/k/big.bin", 100),
    ]
    for one in found:
        one.remove()
    assert list(rubbish(store, time.time() + DAY)) == []
    assert not find(store, "step", "k").missing(store)
