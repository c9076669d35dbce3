"""Peak memory of each step's pod: what it imports, a row a clip, and what it works on.

Bytes a clip are those that tables, lists of Python objects and their strings take at once, measured on made-up tables.
Mapped frames are not counted: they are the system's cache, which it takes back when it must.
"""

from __future__ import annotations

from dataclasses import dataclass

from earmark.config import Config
from earmark.features.shards import SHARD_BYTES
from earmark.planning.sizes import NetworkSize, Sizes

PLAIN, TORCH = 250e6, 700e6
"""A process without torch, and with it."""
CATALOG_CLIP, WANTED_CLIP, JOIN_CLIP, OPEN_CLIP = 3_000, 1_300, 2_300, 1_000
START_BYTES = 1
"""Of a training patch's possible first frame while silence is looked for."""
ARRAY_BYTES = 250
"""Of two arrays a clip, whatever is in them."""
DECODED_SECOND = 3 * 4 * 48_000
"""Samples of a second of sound, as decoded, as mono and resampled."""
HELD_ACTIVATIONS = 4.0
"""Times each layer's output is held in a training step: itself, batch norm's, its gradient, workspaces."""


@dataclass(frozen=True)
class Memory:
    """Bytes of a pod."""

    sizes: Sizes
    cores: int

    def catalog(self) -> float:
        """Listing, claims, headers and the table."""
        return PLAIN + self.sizes.corpus.clips * CATALOG_CLIP

    def extract(self) -> float:
        """The plan of all clips; one shard as pieces and whole; sounds that are decoded side by side."""
        decoded = (self.cores + 1) * self.sizes.corpus.seconds * DECODED_SECOND
        shard = 2 * max(SHARD_BYTES, self.sizes.clip_bytes)
        return PLAIN + self.sizes.corpus.clips * WANTED_CLIP + shard + decoded

    def join(self) -> float:
        """Facts and claims of every clip as Python objects."""
        return PLAIN + self.sizes.corpus.clips * JOIN_CLIP

    def open(self) -> float:
        """A dataset opened beside torch."""
        return TORCH + self.sizes.corpus.clips * OPEN_CLIP

    def train(self, config: Config, size: NetworkSize, checkpoint: float, gpus: int) -> float:
        """The dataset, what may be drawn, a checkpoint on its way, and without a GPU network and activations."""
        starts = max(1, self.sizes.frames - 95) if config.train.max_silent_share < 1 else 1
        drawn = self.sizes.train_clips * starts * START_BYTES
        held = min(config.train.micro_batch_size or config.train.batch_size, config.train.batch_size)
        here = 0.0 if gpus else HELD_ACTIVATIONS * held * size.activations + 5 * size.state
        return self.open() + drawn + 2 * checkpoint + here

    def evaluate(self, size: NetworkSize) -> float:
        """Scores and targets of both parts, their copies while they are ranked, and a block of resamples."""
        cells = max(self.sizes.validation_clips, self.sizes.test_clips) * self.sizes.corpus.labels
        return self.open() + size.state + cells * (4 + 4 + 4 + 8 + 8) + 200e6

    def register(self, size: NetworkSize) -> float:
        """Where the patches of every training clip begin; the weights and what is exported of them."""
        starts = self.sizes.train_clips * (9 * self.sizes.windows + ARRAY_BYTES)
        return self.open() + starts + 4 * size.state

    def compare(self, networks: int) -> float:
        """Scores of the first network, tables of all."""
        scores = self.sizes.test_clips * self.sizes.corpus.labels * 8
        return (
            PLAIN + self.sizes.corpus.clips * OPEN_CLIP + scores + networks * self.sizes.corpus.labels * 5_000 + 100e6
        )
