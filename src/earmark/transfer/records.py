"""Audio Set's published embeddings as a dataset of their own."""

from __future__ import annotations

from earmark.progress import Progress
from earmark.store import Manifest, Store


def read_embeddings(store: Store, data: str, progress: Progress) -> tuple[Manifest, Manifest, Manifest]:
    """Dataset, embedded clips and (empty) patches of a folder of TFRecords."""
    raise NotImplementedError
