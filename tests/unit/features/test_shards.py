from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from earmark.features import ClipFacts, FeatureSpec, shards
from earmark.features.shards import Parts, Wanted, group_clips, part_name, shard_of
from earmark.store import open_store

CLIPS = st.builds(
    Wanted,
    clip_key=st.uuids().map(str),
    uri=st.just("x"),
    sha256=st.sampled_from("abcdef"),
    start_s=st.none() | st.floats(0, 10),
    end_s=st.none() | st.floats(10, 5000),
    claimed_seconds=st.none() | st.floats(0, 20_000),
)


@given(st.lists(CLIPS, max_size=40), st.sampled_from(["uint8", "float32"]))
def test_groups_hold_every_clip_once_and_end_when_full(clips, storage):
    spec = FeatureSpec(storage=storage)
    groups = list(group_clips(clips, spec))
    assert sorted(c.clip_key for group in groups for c in group) == sorted(c.clip_key for c in clips)
    files = [c.sha256 for group in groups for c in group]
    assert files == sorted(files)
    for group in groups:
        assert sum(c.stored_bytes(spec) for c in group[:-1]) < shards.SHARD_BYTES
    for group in groups[:-1]:
        assert sum(c.stored_bytes(spec) for c in group) >= shards.SHARD_BYTES


def test_an_hour_of_sound_in_clips_of_ten_seconds_is_one_shard():
    clips = [Wanted(f"{i:04}", "x", f"{i:04}", None, None, 10.0) for i in range(1000)]
    groups = list(group_clips(clips, FeatureSpec()))
    assert [len(group) for group in groups] == [500, 500]
    assert part_name(groups[0]) != part_name(groups[1])


@given(st.lists(CLIPS, max_size=40), st.integers(2, 8))
def test_groups_for_partitions_end_between_files_unless_they_are_full(clips, partitions):
    spec = FeatureSpec()
    groups = list(group_clips(clips, spec, partitions))
    assert sorted(c.clip_key for group in groups for c in group) == sorted(c.clip_key for c in clips)
    share = sum(c.stored_bytes(spec) for c in clips) / partitions
    for group, after in pairwise(groups):
        size = sum(c.stored_bytes(spec) for c in group)
        assert size >= shards.SHARD_BYTES or (size >= share * 0.999 and group[-1].sha256 != after[0].sha256)
    assert [c.sha256 for group in groups for c in group] == sorted(c.sha256 for c in clips)


def test_a_few_clips_are_a_group_for_each_partition():
    clips = [Wanted(f"{i:04}", "x", f"{i:04}", None, None, 5.0) for i in range(48)]
    assert [len(group) for group in group_clips(clips, FeatureSpec(), 3)] == [16, 16, 16]


def test_a_part_is_there_whole_or_not_at_all(tmp_path):
    store = open_store(tmp_path)
    parts = Parts(store, FeatureSpec())
    frames = np.ones((96, 64), "uint8")
    table = parts.write("p", [("a", frames, ClipFacts()), ("b", frames[:0], ClipFacts(reason="empty"))])
    assert table["first_row"].to_pylist() == [0, 96]
    assert table["rows"].to_pylist() == [96, 0]
    assert parts.names() == ["p"]
    assert parts.read("p") == table
    shard = shard_of(table)
    assert shard.size == 96 * 64
    store.delete(shard.object)
    assert parts.read("p") is None
    assert parts.names() == []


def test_a_part_without_frames_has_no_shard(tmp_path):
    parts = Parts(open_store(tmp_path), FeatureSpec())
    table = parts.write("p", [("b", np.empty((0, 64), "uint8"), ClipFacts(reason="empty"))])
    assert shard_of(table) is None
    assert parts.read("p").num_rows == 1


def test_a_damaged_part_is_made_anew(tmp_path):
    store = open_store(tmp_path)
    parts = Parts(store, FeatureSpec())
    parts.write("p", [("a", np.ones((96, 64), "uint8"), ClipFacts())])
    store.put(f"{parts.folder}/p.parquet", b"no table")
    assert parts.read("p") is None
    assert parts.names() == []
