"""How often a run asks the store, as :class:`earmark.store.s3.S3` does: writes (PUT, POST, LIST) and reads (GET, HEAD).

Clouds price the two apart, and deletes not at all.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from earmark.catalog.headers import FILES_A_PART
from earmark.planning import sizes as rows
from earmark.planning.sizes import NetworkSize, Sizes
from earmark.store.s3 import PART_BYTES

LISTED_AT_ONCE = 1_000
LISTS = 3
"""Reads of the lists that say which label a clip has."""
MANIFEST_READS = {"catalog": 2, "dataset": 3, "checkpoint": 3, "metrics": 5}
"""Objects that a manifest names and every step that reads it looks for."""


class Requests(NamedTuple):
    """Requests to the store."""

    writes: float = 0.0
    reads: float = 0.0

    def __add__(self, other: object) -> Requests:
        assert isinstance(other, Requests)
        return Requests(self.writes + other.writes, self.reads + other.reads)

    def __mul__(self, times: object) -> Requests:
        assert isinstance(times, int | float)
        return Requests(self.writes * times, self.reads * times)


HEAD = Requests(reads=1)


def put(size: float) -> Requests:
    """An object written: in parts of 8 MiB with a beginning and an end, where it is larger than one."""
    return Requests(writes=1 if size <= PART_BYTES else 2 + math.ceil(size / PART_BYTES))


def get(size: float) -> Requests:
    """An object read: one that is larger than two parts is asked for once and then in parts."""
    return Requests(reads=1 if size <= 2 * PART_BYTES else 1 + math.ceil(size / PART_BYTES))


def local(size: float) -> Requests:
    """An object brought to a node's cache."""
    return HEAD + Requests(reads=max(1, math.ceil(size / PART_BYTES)))


def listing(objects: float) -> Requests:
    """A prefix listed."""
    return Requests(writes=max(1, math.ceil(objects / LISTED_AT_ONCE)))


def heads(objects: float) -> Requests:
    """As many looks at single objects."""
    return HEAD * objects


STEP = put(70) * 3 + HEAD
"""Around every step: its meter's beginning and end, its manifest under the run, a look for what it said before."""
RESULT = HEAD + put(rows.DOCUMENT_BYTES)
"""Around every result: a look for its marker, and the marker."""


class Asked:
    """Requests of each step of ``compare``.

    Args:
        sizes: of corpus and config.
        pods: partitions that features are extracted in.
    """

    def __init__(self, sizes: Sizes, pods: int) -> None:
        self.sizes, self.partitions = sizes, sizes.partitions(pods)
        self.clips, self.shards = sizes.corpus.clips, sizes.shards_of(self.partitions)
        self.shard_bytes = sizes.frame_bytes / self.shards
        self.patches_manifest = self.shards + 2

    def build_catalog(self) -> Requests:
        """The data listed, each file read once, headers kept by 16,384 files, two tables."""
        kept = math.ceil(self.clips / FILES_A_PART)
        looked = listing(self.clips) + listing(0) + get(0) * LISTS
        written = put(FILES_A_PART * rows.HEADERS_ROW) * kept + put(self.clips * rows.CATALOG_ROW) + put(0)
        return STEP + RESULT + looked + Requests(reads=self.clips) + written + heads(2)

    def extract_part(self) -> Requests:
        """All partitions: each reads catalog and plan; each clip is read, each shard and its table written."""
        catalog, plan = get(self.clips * rows.CATALOG_ROW), get(self.clips * rows.PLAN_ROW)
        each = STEP + heads(2) + HEAD + catalog + plan
        first = HEAD + listing(0) + put(self.clips * rows.PLAN_ROW)
        table = rows.PART_ROW * self.clips / self.shards
        shard = HEAD + put(self.shard_bytes) + put(table) + get(table)
        return each * self.partitions + first + shard * self.shards + Requests(reads=self.clips)

    def extract_features(self) -> Requests:
        """Every part looked for and its table read; index and facts written."""
        clips = self.clips
        parts = (heads(2) + get(rows.PART_ROW * clips / self.shards)) * self.shards
        tables = get(clips * rows.CATALOG_ROW) + get(clips * rows.PLAN_ROW)
        written = put(clips * rows.INDEX_ROW) + put(clips * rows.FACTS_ROW)
        named = heads(self.shards) + heads(4) + heads(self.patches_manifest)
        return STEP + RESULT + parts + tables + written + named

    def assemble_dataset(self) -> Requests:
        """Catalog, facts and index read; dataset, findings and labels written."""
        clips = self.clips
        read = get(clips * rows.CATALOG_ROW) + get(0) + get(clips * rows.FACTS_ROW) + get(clips * rows.INDEX_ROW)
        written = put(clips * rows.DATASET_ROW) + put(0) * 2
        return STEP + RESULT + self._looked(2, catalog=1, patches=1) + read + written + heads(3)

    def train_model(self, size: NetworkSize, checkpoint: float, checkpoints: int) -> Requests:
        """Every shard read once; checkpoints and at last weights, description and curves written."""
        saved = (put(checkpoint) + put(rows.DOCUMENT_BYTES) + listing(0)) * checkpoints
        written = put(size.state) + put(0) * 2 + heads(3)
        looked = self._looked(2, dataset=1, patches=1)
        return STEP + RESULT + looked + self._opened() + listing(0) * 2 + saved + written

    def evaluate_model(self, size: NetworkSize) -> Requests:
        """Network and every shard read; scores of both parts, tables and calibration written."""
        sizes, labels = self.sizes, self.sizes.corpus.labels
        read = get(size.state) + get(0) + get(self.clips * rows.DATASET_ROW) + get(self.clips * rows.FACTS_ROW)
        scores = [n * (rows.SCORES_ROW + 4 * labels) for n in (sizes.validation_clips, sizes.test_clips)]
        written = put(scores[0]) + put(scores[1]) + put(0) * 3 + heads(5)
        looked = self._looked(2, checkpoint=1, dataset=1, patches=1)
        shown = get(0)  # metrics.json, for Kubeflow's page
        return STEP + RESULT + looked + read + self._opened() + written + shown

    def compare_models(self, networks: int) -> Requests:
        """Tables of all networks, scores and timelines of the first, the shown clips; the report written."""
        looked = self._looked(2, catalog=1, dataset=1, patches=1) + heads((5 + 3) * networks)
        scores = self.sizes.test_clips * (rows.SCORES_ROW + 4 * self.sizes.corpus.labels)
        read = get(0) * (2 * networks + 3) + get(scores) + get(self.clips * rows.DATASET_ROW)
        shown = (HEAD + get(0)) * self.sizes.sounds_shown
        report = self.sizes.report_bytes(networks)
        return STEP + RESULT + looked + read + shown + put(report) + put(0) + heads(2) + get(report)

    def register_model(self, size: NetworkSize) -> Requests:
        """The package made of weights and tables, and the PCA of training clips; MLflow's own store is not counted."""
        clips = self.clips
        looked = self._looked(1, catalog=1, dataset=1, patches=1) + heads(2)
        read = get(0) * 4 + local(size.state) + self._opened()
        tables = get(clips * rows.CATALOG_ROW) + get(clips * rows.DATASET_ROW) * 3
        return STEP + RESULT + looked + read + tables

    def gate_model(self) -> Requests:
        """The clips of both packages; where a champion stands, the shards once more (not counted for the first)."""
        return STEP + RESULT + get(0) * 3 + put(0) * 2 + heads(2)

    def _looked(self, times: int, **manifests: int) -> Requests:
        """Manifests whose objects are looked for: by the step, and by what it calls."""
        counts = {**MANIFEST_READS, "patches": self.patches_manifest}
        return heads(times * sum(counts[name] * count for name, count in manifests.items()))

    def _opened(self) -> Requests:
        """A dataset opened, and every shard brought to the node."""
        clips = self.clips
        tables = get(clips * rows.DATASET_ROW) + get(clips * rows.INDEX_ROW) + get(0)
        return tables + local(self.shard_bytes) * self.shards
