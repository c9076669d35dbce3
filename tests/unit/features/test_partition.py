from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.config import DataConfig
from earmark.errors import UserError
from earmark.features import FeatureSpec, FrameStore, extract_features, extract_part, partitions, shards
from earmark.progress import Progress
from earmark.store import Directory, find, open_store
from earmark.store.tables import read_table

SPEC, CONFIG, QUIET = FeatureSpec(), DataConfig(), Progress("extract_part", mode="off")
FILES = 14
PATCH_BYTES = 96 * 64

# A partition that stops for ever before it writes its n-th object that must be new, told by a line.
STOPPING = """
import sys
from pathlib import Path
from earmark.config import DataConfig, FeatureSpec
from earmark.features import extract_part, shards
from earmark.progress import Progress
from earmark.store import Directory, find
shards.SHARD_BYTES = int(sys.argv[3])
class Stopping(Directory):
    left = int(sys.argv[4])
    def put_new(self, key, data):
        self.left -= 1
        if self.left == 0:
            print("stopped", flush=True)
            sys.stdin.read()
        return super().put_new(key, data)
store = Stopping(Path(sys.argv[1]))
catalog = find(store, "build_catalog", sys.argv[2])
extract_part(store, catalog, FeatureSpec(), DataConfig(), 1, 2, Progress("extract_part", mode="off"))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory, tone) -> Path:
    """Sounds of one to three seconds, one that is none, and one of which three segments are wanted."""
    folder = tmp_path_factory.mktemp("partitions") / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(FILES):
        soundfile.write(folder / f"{number:02}.wav", rng.normal(0, 0.1, 16_000 * (1 + number % 3)), 16_000)
    (folder / "bad.wav").write_text("no sound")
    soundfile.write(folder / "long.wav", tone(6.0) * np.linspace(0.1, 1, 96_000), 16_000)
    return folder


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 4 * PATCH_BYTES)


@pytest.fixture(scope="module")
def wanted(data, catalog_of):
    """The catalog of the sounds in a store."""
    segments = {"long.wav": [(0.0, 2.0), (2.0, 4.0), (4.0, None)]}
    return lambda store: catalog_of(store, data, segments, missing=["gone.wav"])


@pytest.fixture(scope="module")
def alone(tmp_path_factory, wanted):
    """What one process makes of them."""
    store = open_store(tmp_path_factory.mktemp("alone"))
    return content(store, extract_features(store, wanted(store), SPEC, CONFIG, QUIET))


def content(store, patches):
    """A result without how its shards lie."""
    frames = FrameStore.open(store, patches)
    index = read_table(patches.files["index.parquet"].read(store)).to_pylist()
    told = {name: patches.facts[name] for name in ("spec", "clips", "patches", "seconds")}
    facts = patches.files["facts.parquet"].read(store)
    stored = {row["clip_key"]: frames.clip(row["shard"], row["first_row"], row["rows"]).tobytes() for row in index}
    return patches.digest, told, facts, stored


def objects(store):
    return {info.key: store.get(info.key) for info in store.list()}


PARTITION = st.integers(1, 7).flatmap(lambda parts: st.tuples(st.integers(1, parts), st.just(parts)))


@settings(max_examples=30, deadline=None)
@given(
    before=st.sets(st.integers(0, FILES - 1)), ran=st.lists(PARTITION, max_size=8), patches_a_shard=st.integers(1, 40)
)
def test_whatever_was_there_and_whichever_partitions_ran_the_result_is_that_of_one_process(
    alone, data, wanted, catalog_of, before, ran, patches_a_shard
):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_BYTES", patches_a_shard * PATCH_BYTES)
        store, part_of_it = open_store(Path(folder) / "store"), Path(folder) / "data"
        part_of_it.mkdir()
        for number in before:
            (part_of_it / f"{number:02}.wav").write_bytes((data / f"{number:02}.wav").read_bytes())
        if before:
            extract_features(store, catalog_of(store, part_of_it), SPEC, CONFIG, QUIET)
        catalog = wanted(store)
        for part, parts in ran:
            extract_part(store, catalog, SPEC, CONFIG, part, parts, QUIET)
        patches = extract_features(store, catalog, SPEC, CONFIG, QUIET)
        assert content(store, patches) == alone
        assert patches.facts["extracted"] == FILES + 4 - len(before)


def test_partitions_share_the_work_and_leave_nothing_to_the_merge(tmp_path, wanted):
    store = open_store(tmp_path)
    catalog = wanted(store)
    made = [extract_part(store, catalog, SPEC, CONFIG, part, 3, QUIET) for part in (3, 1, 2)]
    assert sum(manifest.facts["clips"] for manifest in made) == FILES + 4
    assert all(3 <= manifest.facts["clips"] <= 9 for manifest in made)
    assert not any(manifest.reused or manifest.missing(store) for manifest in made)
    named = [ref.object for manifest in made for ref in manifest.files.values()]
    patches = extract_features(store, catalog, SPEC, CONFIG, QUIET)
    assert sorted(named) == sorted(ref.object for name, ref in patches.files.items() if name.startswith("shard-"))
    assert sorted(named) == [info.key for info in store.list("features/") if info.key.endswith(".frames")]


def test_again_a_partition_has_nothing_to_do(tmp_path, wanted):
    store = open_store(tmp_path)
    catalog = wanted(store)
    first = extract_part(store, catalog, SPEC, CONFIG, 1, 2, QUIET)
    again = extract_part(store, catalog, SPEC, CONFIG, 1, 2, QUIET)
    assert (again, again.reused) == (first, True)
    extract_features(store, catalog, SPEC, CONFIG, QUIET)
    kept = objects(store)
    assert all(extract_part(store, catalog, SPEC, CONFIG, part, 2, QUIET).reused for part in (1, 2))
    assert objects(store) == kept


@pytest.mark.parametrize("stop", [1, 2, 4])
def test_a_partition_that_is_killed_and_run_again_writes_the_same_bytes(tmp_path, wanted, small_shards, stop):
    """Killed before its plan, between a shard and its table, and on the way."""
    calm, rough = open_store(tmp_path / "calm"), open_store(tmp_path / "rough")
    key = wanted(calm).key
    catalog = wanted(rough)
    arguments = [sys.executable, "-c", STOPPING, rough.uri, key, str(shards.SHARD_BYTES), str(stop)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"stopped\n"
        process.send_signal(signal.SIGKILL)
    left = {info.key for info in rough.list("features/") if info.key.endswith(".parquet")}
    assert len(left) == max(0, stop - 2)
    for store in (rough, calm):
        for part in (1, 2):
            extract_part(store, catalog, SPEC, CONFIG, part, 2, QUIET)
        extract_features(store, catalog, SPEC, CONFIG, QUIET)
    assert objects(rough) == objects(calm)


def test_two_runs_that_race_through_the_same_partition_write_one_result(tmp_path, wanted, small_shards):
    """Each waits for the other before every object that only one may write."""
    meeting = threading.Barrier(2, timeout=60)

    class Racing(Directory):
        def put_new(self, key, data):
            meeting.wait()
            return super().put_new(key, data)

    calm, rough = Directory(tmp_path / "calm"), Racing(tmp_path / "rough")
    catalog = wanted(calm)
    for key, value in objects(calm).items():
        rough.put(key, value)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(extract_part, rough, catalog, SPEC, CONFIG, 1, 2, QUIET) for _ in range(2)]
        first, second = (run.result() for run in runs)
    assert first == second
    assert first == extract_part(calm, catalog, SPEC, CONFIG, 1, 2, QUIET)
    assert len(first.files) > 2
    assert objects(rough) == objects(calm)


def test_each_table_is_read_once_and_none_of_another_partition(tmp_path, data, wanted, catalog_of, small_shards):
    got = Counter()

    class Counting(Directory):
        def get(self, key):
            got[key] += 1
            return super().get(key)

    def tables():
        read = {key: count for key, count in got.items() if key.startswith("features/")}
        got.clear()
        assert set(read.values()) == {1}
        return read.keys()

    store, half = Counting(tmp_path / "store"), tmp_path / "half"
    half.mkdir()
    for number in range(0, FILES, 2):
        (half / f"{number:02}.wav").write_bytes((data / f"{number:02}.wav").read_bytes())
    extract_features(store, catalog_of(store, half), SPEC, CONFIG, QUIET)
    older = {info.key for info in store.list("features/") if info.key.endswith(".parquet")}
    catalog = wanted(store)
    got.clear()

    assert len(older) > 2
    extract_part(store, catalog, SPEC, CONFIG, 1, 2, QUIET)
    first = tables()
    assert older < first  # the first to come plans
    extract_part(store, catalog, SPEC, CONFIG, 2, 2, QUIET)
    second = tables()
    assert second
    assert not first & second
    extract_features(store, catalog, SPEC, CONFIG, QUIET)
    assert tables() == first | second


@pytest.mark.parametrize(
    ("pods", "clips", "expected"), [(None, 9999, 1), ("4", 48, 3), ("4", 64, 4), ("4", 9999, 4), ("4", 0, 1)]
)
def test_as_many_partitions_as_pods_unless_there_are_few_clips(monkeypatch, pods, clips, expected):
    monkeypatch.delenv("EARMARK_FEATURE_PODS", raising=False)
    if pods is not None:
        monkeypatch.setenv("EARMARK_FEATURE_PODS", pods)
    assert partitions(clips) == [f"{number}/{expected}" for number in range(1, expected + 1)]


def test_a_number_of_pods_that_is_none(monkeypatch):
    monkeypatch.setenv("EARMARK_FEATURE_PODS", "many")
    with pytest.raises(UserError, match=r"EARMARK_FEATURE_PODS is 'many': set it to a whole number from 1 up"):
        partitions(100)


def test_a_file_that_has_changed_ends_the_partition_that_needs_it(tmp_path, tone, catalog_of):
    store, folder = open_store(tmp_path / "store"), tmp_path / "data"
    folder.mkdir()
    for number in range(4):
        soundfile.write(folder / f"{number}.wav", tone(1.0 + number), 16_000)
    catalog = catalog_of(store, folder)
    for path in folder.iterdir():
        path.write_bytes(b"another sound")
    with pytest.raises(UserError, match=r"has changed since .*run the same command again"):
        extract_part(store, catalog, SPEC, CONFIG, 2, 2, QUIET)
    assert find(store, "extract_features", catalog.key) is None
    assert not list(store.list("features/"))
