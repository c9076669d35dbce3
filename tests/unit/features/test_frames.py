from __future__ import annotations

import os

import numpy as np
import pytest

from earmark.config import DataConfig
from earmark.features import FeatureSpec, FrameStore, extract_features
from earmark.progress import Progress
from earmark.store import CorruptObject, open_store

OFF = Progress("extract_features", mode="off")


def shards(storage: str, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(1, 200, (300 + 40 * i, 64)).astype(storage) for i in range(count)]


@pytest.mark.parametrize("storage", ["uint8", "float16", "float32"])
@pytest.mark.parametrize("count", [1, 3])
def test_gathered_patches_are_the_rows_from_each_start(storage, count):
    frames = FrameStore(shards(storage, count), FeatureSpec(storage=storage))
    rng = np.random.default_rng(1)
    shard_B = rng.integers(0, count, 50)
    row_B = np.array([rng.integers(0, len(frames.shards[s]) - 95) for s in shard_B])
    row_B[:2], shard_B[:2] = (0, len(frames.shards[0]) - 96), 0  # the first and the last patch there is
    x_BTF = frames.gather(shard_B, row_B)
    assert (x_BTF.shape, x_BTF.dtype) == ((50, 96, 64), np.dtype(storage))
    for x_TF, shard, row in zip(x_BTF, shard_B, row_B, strict=True):
        np.testing.assert_array_equal(x_TF, frames.shards[shard][row : row + 96])
    assert x_BTF.flags.writeable
    assert frames.gather(shard_B[:0], row_B[:0]).shape == (0, 96, 64)


@pytest.mark.parametrize("row", [-1, 300 - 95])
@pytest.mark.parametrize("count", [1, 2])
def test_a_patch_never_leaves_its_shard(count, row):
    frames = FrameStore(shards("uint8", count), FeatureSpec())
    with pytest.raises(IndexError, match=f"no patch starts at row {row} of shard 0"):
        frames.gather(np.array([0, 0]), np.array([7, row]))


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="the platform takes no hints")
def test_expected_patches_are_asked_of_the_disk_by_their_own_bytes(tmp_path, monkeypatch):
    made, asked = shards("float16", 2), []
    paths = [tmp_path / "0", tmp_path / "1"]
    for path, shard in zip(paths, made, strict=True):
        shard.tofile(path)
    frames = FrameStore(made, FeatureSpec(storage="float16"), paths)
    real = os.posix_fadvise

    def fadvise(file, start, length, advice):
        real(file, start, length, advice)  # a bad descriptor or advice would raise
        asked.append((os.pread(file, length, start), advice))

    monkeypatch.setattr(os, "posix_fadvise", fadvise)
    shard_B, row_B = np.array([0, 1]), np.array([7, 244])
    frames.expect(shard_B, row_B)
    assert asked == [(x_TF.tobytes(), os.POSIX_FADV_WILLNEED) for x_TF in frames.gather(shard_B, row_B)]
    FrameStore(made, FeatureSpec(storage="float16")).expect(shard_B, row_B)  # no files: nothing to ask for
    assert len(asked) == 2


def test_silent_share():
    made = shards("uint8", 2)
    made[0][100:148] = 0
    made[1][:, 1:] = 0  # one band sounds: not silent
    made[1][200] = 0
    frames = FrameStore(made, FeatureSpec())
    first, second = frames.silent_share(0, 0, 240), frames.silent_share(1, 10, 230)
    assert first[[0, 60, 100]].tolist() == pytest.approx([0.0, 0.5, 0.5])
    assert second[[0, 140 - 10]].tolist() == pytest.approx([0.0, 1 / 96])
    assert (len(first), len(second)) == (145, 135)


def test_clip_is_a_view():
    frames = FrameStore(shards("uint8", 2), FeatureSpec())
    clip_TF = frames.clip(1, 96, 192)
    np.testing.assert_array_equal(clip_TF, frames.shards[1][96:288])
    assert np.shares_memory(clip_TF, frames.shards[1])


def test_a_damaged_shard_is_named_with_its_remedy(tmp_path, recordings, catalog_of):
    store, root = open_store(tmp_path / "store"), recordings[0].parent
    data = tmp_path / "data"
    data.mkdir()
    for path in recordings[:3]:
        (data / path.name).write_bytes((root / path.name).read_bytes())
    catalog = catalog_of(store, data)
    patches = extract_features(store, catalog, FeatureSpec(), DataConfig(), OFF)
    assert len(FrameStore.open(store, patches).shards) == 1
    shard = store.local(patches.files["shard-0000"].object)
    before = shard.read_bytes()
    shard.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    with pytest.raises(CorruptObject, match=r"frames .*delete it and run the same command again"):
        FrameStore.open(store, patches)
    shard.unlink()
    again = extract_features(store, catalog, FeatureSpec(), DataConfig(), OFF)
    assert again == patches
    assert shard.read_bytes() == before
