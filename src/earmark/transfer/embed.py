"""The step ``embed_dataset``: a trained network's embeddings of every clip, made once for all heads."""

from __future__ import annotations

from earmark.config import EvaluateConfig
from earmark.evaluation.labelled_clips import Packaged
from earmark.progress import Progress
from earmark.store import Manifest, Store

STEP = "embed_dataset"
EPOCH = 1


def embed_dataset(
    store: Store,
    dataset: Manifest,
    patches: Manifest,
    source: Packaged,
    evaluate: EvaluateConfig,
    progress: Progress,
) -> Manifest:
    """The embeddings of every clip of all parts, at the windows of evaluation."""
    raise NotImplementedError
