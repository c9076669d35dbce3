"""The step ``train_head``: a head fitted on stored embeddings."""

from __future__ import annotations

from earmark.config import Config
from earmark.evaluation.labelled_clips import Packaged
from earmark.progress import Progress
from earmark.store import Manifest, Store
from earmark.tracking import RunContext

STEP = "train_head"
EPOCH = 1


def train_head(
    store: Store,
    dataset: Manifest,
    embedded: Manifest,
    source: Packaged | None,
    variant: str,
    config: Config,
    run: RunContext,
    progress: Progress,
) -> Manifest:
    """Fit a variant's head; ``source`` is None where the embeddings came without their network (TFRecords)."""
    raise NotImplementedError
