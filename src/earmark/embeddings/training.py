"""The PCA of a model's own training clips: made once, kept with the model, the same for whatever is embedded later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earmark.catalog import Dataset
from earmark.embeddings.linear import embed_windows
from earmark.embeddings.pca import COMPONENTS, Pca
from earmark.evaluation.windows import window_starts
from earmark.store import Manifest, Store

if TYPE_CHECKING:
    from earmark.evaluation import Model

MOST_PATCHES = 4096
SEED = 2017


def training_pca(model: Model, store: Store, dataset: Manifest, patches: Manifest) -> Pca:
    """The PCA of at most 4096 patches of the training clips, always the same ones; silence is left out as in scoring.

    Raises:
        UserError: the dataset has fewer than two training patches, or all are alike.
    """
    opened = Dataset.open(store, dataset, patches)
    clips = opened.clips("train")
    hop, most_silent = model.evaluate.hop_seconds, model.evaluate.max_silent_share
    frames = [opened.frames.clip(clip.shard, clip.first_row, clip.rows) for clip in clips]
    starts = [window_starts(frames_TF, model.features, hop, most_silent) for frames_TF in frames]
    counts = [len(starts_P) for starts_P in starts]
    chosen = np.zeros(sum(counts), bool)
    chosen[np.random.default_rng(SEED).permutation(len(chosen))[:MOST_PATCHES]] = True
    each = np.split(chosen, np.cumsum(counts)[:-1])
    found = [
        embed_windows(model, frames_TF, starts_P[wanted_P])
        for frames_TF, starts_P, wanted_P in zip(frames, starts, each, strict=True)
        if wanted_P.any()
    ]
    size = model.network.embedding_size
    return Pca.fit(np.concatenate([np.empty((0, size), np.float32), *found]), COMPONENTS)
