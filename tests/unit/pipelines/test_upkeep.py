"""``earmark gc`` removes what nothing names, and nothing else."""

from __future__ import annotations

import fcntl
import json
import os
import time

import numpy as np
import pytest
import soundfile

from earmark.catalog import assemble_dataset, build_catalog
from earmark.config import DataConfig, FeatureSpec
from earmark.errors import UserError
from earmark.features import extract_features
from earmark.pipelines.upkeep import DAY, collect_garbage, rubbish
from earmark.progress import Progress
from earmark.store import FileRef, once, open_store

QUIET = Progress("test", mode="off")
WEEK_AGO = time.time() - 7 * DAY
KEY = "results/train_model/k"


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.delenv("EARMARK_STORE", raising=False)
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "work"


@pytest.fixture
def store(work):
    return open_store(work / "store")


def aged(store, prefix=""):
    """Everything below a prefix was written a month ago."""
    for info in store.list(prefix):
        os.utime(store.local(info.key), (time.time() - 30 * DAY,) * 2)


def names(store, before=WEEK_AGO):
    return sorted(found.name for found in rubbish(store, before))


def test_all_that_a_chain_of_steps_needs_stays_and_is_found_again(store, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(16):
        path = tmp_path / "data" / "ab"[number % 2] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * rng.standard_normal(16_000).clip(-5, 5), 16_000)

    def steps():
        config = DataConfig()
        catalog = build_catalog(store, str(tmp_path / "data"), config, QUIET)
        patches = extract_features(store, catalog, FeatureSpec(), config, QUIET)
        return catalog, patches, assemble_dataset(store, catalog, patches, config, QUIET)

    made = steps()
    aged(store)
    found = list(rubbish(store, WEEK_AGO))
    assert [one.name for one in found] == [f"results/extract_features/{made[1].key}/plan.parquet"]
    for one in found:
        one.remove()
    again = steps()
    assert again == made
    assert all(manifest.reused for manifest in again)
    assert not any(manifest.missing(store) for manifest in again)


def test_shards_that_no_part_names_go_and_named_ones_stay(store, tmp_path):
    from earmark.features import ClipFacts
    from earmark.features.shards import Parts

    parts = Parts(store, FeatureSpec())
    parts.write("part", [("clip", np.ones((96, 64), np.uint8), ClipFacts())])
    store.put(f"{parts.folder}/lost-0123456789ab.frames", b"lost")
    assert names(store) == []
    aged(store)
    assert names(store) == [f"{parts.folder}/lost-0123456789ab.frames"]


def test_a_training_that_runs_keeps_everything_it_may_read(store):
    checkpoint = f"{KEY}/checkpoints/step-00000001"
    other = "results/train_model/finished/checkpoints/step-00000009/state.safetensors"
    for name in ("state.safetensors", "done.json"):
        store.put(f"{checkpoint}/{name}", b"old")
    store.put("initial/abc/weights.safetensors", b"weights")
    store.put(other, b"state")
    once(store, "train_model", "finished", lambda attempt: attempt.put("weights.safetensors", b"1"))
    aged(store)
    store.put(f"{KEY}/checkpoints/step-00000002/state.safetensors", b"a moment ago")
    assert names(store) == []
    aged(store)
    assert names(store) == sorted(
        [
            *(f"{checkpoint}/{name}" for name in ("state.safetensors", "done.json")),
            f"{KEY}/checkpoints/step-00000002/state.safetensors",
            "initial/abc/weights.safetensors",
            other,
        ]
    )


def test_what_a_runs_manifest_names_stays(store):
    store.put("results/metrics/k/scores-1.npz", b"1")
    ref = FileRef("results/metrics/k/scores-1.npz", 1, "")
    store.put("runs/r/metrics.json", json.dumps({"schema_version": 0, "files": {"scores": vars(ref)}}).encode())
    store.put("runs/r/run.json", json.dumps({"run": "r"}).encode())
    store.put("somewhere/else", b"unknown")
    aged(store)
    assert names(store) == []


def test_what_was_written_again_since_it_was_found_stays(store):
    store.put(f"{KEY}/weights-1.safetensors", b"same")
    aged(store)
    (found,) = rubbish(store, WEEK_AGO)
    store.put(f"{KEY}/weights-1.safetensors", b"same")
    found.remove()
    assert store.get(f"{KEY}/weights-1.safetensors") == b"same"


def test_nothing_goes_while_a_manifest_cannot_be_read(store, work):
    store.put("results/a/b/done.json", b'{"files": {"x"')
    store.put(f"{KEY}/weights-1.safetensors", b"1")
    aged(store)
    with pytest.raises(UserError, match=r"results/a/b/done\.json .* nothing is removed: delete it"):
        collect_garbage(str(work), 7, yes=True, json=False)
    assert store.head(f"{KEY}/weights-1.safetensors")


def test_it_only_tells_until_it_is_told_to_remove(store, work, capsys):
    collect_garbage(str(work), 7, yes=False, json=False)
    assert "nothing to remove" in capsys.readouterr().out
    store.put(f"{KEY}/weights-1.safetensors", b"x" * 3_000_000)
    aged(store)
    collect_garbage(str(work), 7, yes=False, json=False)
    out = capsys.readouterr().out
    assert "results that were never finished" in out
    assert "1 files, 3.0 MB could go; nothing is removed yet: add --yes" in out
    assert store.head(f"{KEY}/weights-1.safetensors")
    collect_garbage(str(work), 60, yes=True, json=False)
    assert store.head(f"{KEY}/weights-1.safetensors")
    capsys.readouterr()
    collect_garbage(str(work), 7, yes=True, json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["removed"] is True
    assert told["found"] == [{"kind": "files of results that were never finished", "count": 1, "bytes": 3_000_000}]
    assert store.head(f"{KEY}/weights-1.safetensors") is None


def test_what_killed_writers_and_downloads_left_goes_unless_in_use(store, tmp_path):
    store.put("runs/r/run.json", b"{}")
    written = store.root / "runs" / ".tmp-0123"
    copies = [tmp_path / "cache" / "ab" / f"{name}.part" for name in ("left", "used")]
    copies[0].parent.mkdir(parents=True)
    for path in (written, *copies):
        path.write_bytes(b"half")
    assert names(store) == []
    for path in (written, *copies):
        os.utime(path, (time.time() - 30 * DAY,) * 2)
    with copies[1].open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for found in list(rubbish(store, WEEK_AGO)):
            found.remove()
    assert [path.exists() for path in (written, *copies)] == [False, False, True]
