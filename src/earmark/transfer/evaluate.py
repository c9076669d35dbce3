"""The step ``evaluate_model`` for a head: the same scores, from stored embeddings."""

from __future__ import annotations

from earmark.config import Config
from earmark.progress import Progress
from earmark.store import Manifest, Store


def evaluate_head(
    store: Store,
    checkpoint: Manifest,
    dataset: Manifest,
    embedded: Manifest,
    patches: Manifest,
    config: Config,
    progress: Progress,
) -> Manifest:
    """Score a head on the validation and the test part."""
    raise NotImplementedError
