"""What a run of so many clips stores, from how the product's rooms lay their results down."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from earmark.config import Config, FeatureSpec
from earmark.features import MEL_BANDS, PATCH_FRAMES, patch_starts
from earmark.features.partition import CLIPS_A_PARTITION
from earmark.features.shards import SHARD_BYTES
from earmark.features.spec import SAMPLE_RATE, frame_count, padded_samples

# Bytes a row of each table (Parquet, zstd), and of each table without rows; measured from 200 and 2,200 clips. Digests
# are most of them: 64 hexadecimal digits do not shrink below 32 bytes.
TABLE_BYTES = 3_000
HEADERS_ROW, CATALOG_ROW, PLAN_ROW, PART_ROW, INDEX_ROW, FACTS_ROW, DATASET_ROW = 43, 83, 35, 76, 38, 74, 79
SCORES_ROW = 60
"""Beside four bytes a label."""
LABEL_ROW = 65
SCORES_BYTES, METRICS_BYTES = 1_750, 2_600
"""Scores and metrics of no clip and no label."""
METRICS_ROW, CALIBRATION_ROW = 970, 209
"""JSON a label: of both parts' tables with intervals; of slopes and thresholds."""
CONFUSION_CELL = 3 * 3
"""JSON of a cell of the three confusion matrices, where clips have one label each."""
DOCUMENT_BYTES = 2_500
"""A small JSON: a marker, model.json without its labels."""
PAGE_BYTES, SOUND_SECOND_BYTES, MOST_SOUND_BYTES = 120_000, 11_200, 8_000_000
"""The report: its page, a second of sound as heard and seen, and where it stops adding sounds."""
MISTAKES_SHOWN, TIMELINES_SHOWN, EXCERPT_SECONDS = 12, 6, 10.0
OUTPUT_BYTES, OUTPUTS_SHOWN = 430, 5
"""JSON of a label's outputs over a clip that is shown, and of how many labels."""
PCA_PATCHES = 4096
"""Of a registered model's training clips (``earmark.embeddings.training``)."""


@dataclass(frozen=True)
class Corpus:
    """The clips that a run is to be about."""

    clips: int
    seconds: float
    """Of each clip."""
    labels: int
    single_label: bool = False
    """Whether each clip has one label: then there is a confusion matrix."""


@dataclass(frozen=True)
class Sizes:
    """Counts and bytes that follow from corpus and config alone."""

    corpus: Corpus
    config: Config
    """Of the experiment's base: data, features, evaluate."""

    @property
    def frames(self) -> int:
        """Stored frames of a clip: 100 a second; ``tail: pad`` fills the last patch."""
        samples = round(self.corpus.seconds * SAMPLE_RATE)
        return frame_count(padded_samples(samples) if self.config.features.tail == "pad" else samples)

    @property
    def clip_bytes(self) -> int:
        """Stored frames of a clip: 64 bands in the stored precision."""
        return self.frames * MEL_BANDS * itemsize(self.config.features)

    @property
    def frame_bytes(self) -> int:
        """Stored frames of all clips."""
        return self.corpus.clips * self.clip_bytes

    @property
    def patches(self) -> int:
        """Patches side by side, of all clips."""
        return self.corpus.clips * (self.frames // PATCH_FRAMES)

    @property
    def windows(self) -> int:
        """Patches of a clip that evaluation scores: ``evaluate.hop_seconds`` apart, and the last one."""
        return len(patch_starts(max(self.frames, PATCH_FRAMES), self.config.evaluate.hop_seconds))

    @property
    def test_clips(self) -> int:
        """By ``data.test_share``; with ``data.balanced_test`` at most so many a label."""
        found = round(self.corpus.clips * self.config.data.test_share)
        balanced = self.config.data.balanced_test
        return min(found, balanced * self.corpus.labels) if balanced else found

    @property
    def validation_clips(self) -> int:
        """By ``data.validation_share`` of those that are not test."""
        return round((self.corpus.clips - self._split_off) * self.config.data.validation_share)

    @property
    def train_clips(self) -> int:
        """All others."""
        return self.corpus.clips - self._split_off - self.validation_clips

    @property
    def _split_off(self) -> int:
        return round(self.corpus.clips * self.config.data.test_share)

    @property
    def shards(self) -> int:
        """Whole clips until one is over ``SHARD_BYTES``; the last one has the rest."""
        return self.shards_of(1)

    def shards_of(self, partitions: int) -> int:
        """Shards where so many partitions make them."""
        each = max(1, math.ceil(SHARD_BYTES / self.planned_bytes))
        if partitions > 1:
            each = min(each, max(1, math.ceil(self.corpus.clips / partitions)))
        return math.ceil(self.corpus.clips / each)

    @property
    def planned_bytes(self) -> float:
        """What a clip is planned as, before it is decoded (``Wanted.stored_bytes``)."""
        return self.corpus.seconds * 100 * MEL_BANDS * itemsize(self.config.features)

    @property
    def evaluated_bytes(self) -> float:
        """What an evaluation writes: scores of both parts, tables, calibration, timelines."""
        clips, labels = self.validation_clips + self.test_clips, self.corpus.labels
        cells = labels**2 * CONFUSION_CELL if self.corpus.single_label else 0.0
        tables = METRICS_BYTES + labels * (METRICS_ROW + CALIBRATION_ROW) + cells
        timelines = min(TIMELINES_SHOWN, labels) * min(OUTPUTS_SHOWN, labels) * OUTPUT_BYTES
        return clips * (SCORES_ROW + 4 * labels) + 2 * SCORES_BYTES + tables + timelines

    @property
    def sounds_shown(self) -> int:
        """Clips that a report has sounds of; where test clips are few, two of three are taken to be mistaken."""
        return min(TIMELINES_SHOWN, self.corpus.labels) + min(MISTAKES_SHOWN, 2 * self.test_clips // 3)

    def report_bytes(self, networks: int) -> float:
        """The page of the comparison: sounds of a few clips, a row a label."""
        shown = self.sounds_shown * min(EXCERPT_SECONDS, self.corpus.seconds) * SOUND_SECOND_BYTES
        return PAGE_BYTES + min(shown, MOST_SOUND_BYTES) + networks * self.corpus.labels * 500

    def partitions(self, pods: int) -> int:
        """Features are extracted in one partition a pod, of 16 clips at least."""
        return max(1, min(pods, self.corpus.clips // CLIPS_A_PARTITION))


def itemsize(spec: FeatureSpec) -> int:
    """Bytes of a stored value."""
    return int(np.dtype(spec.storage).itemsize)


@dataclass(frozen=True)
class NetworkSize:
    """What a network takes."""

    state: int
    """Bytes of its weights and statistics in float32."""
    activations: int
    """Bytes of the layers' outputs of one patch in float32."""
    multiplies: int
    """Of one patch."""


@cache
def _network_size(architecture: str, labels: int) -> NetworkSize:
    import torch

    from earmark.architectures import count, create
    from earmark.config import ArchitectureConfig

    wanted = ArchitectureConfig.model_validate_json(architecture)
    with torch.device("meta"):
        made = create(
            wanted.name, labels, wanted.width, wanted.bottleneck, wanted.dropout, wanted.head, **wanted.options
        )
        found = count(made)
    state = sum(tensor.numel() * tensor.element_size() for tensor in made.state_dict().values())
    outputs = sum(math.prod(layer.output) for layer in found.layers)
    return NetworkSize(state, 4 * outputs, found.multiplies)


def network_size(config: Config, labels: int) -> NetworkSize:
    """Of the network that a variant's config names; nothing is computed."""
    return _network_size(config.architecture.model_dump_json(), labels)


def checkpoint_bytes(config: Config, size: NetworkSize, validated: bool) -> int:
    """A checkpoint: weights, their average, two moments of Adam, and once validated the best weights."""
    copies = 3 + (config.train.ema_share > 0) + validated
    return copies * size.state
