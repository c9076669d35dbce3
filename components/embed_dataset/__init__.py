"""The step embed_dataset."""

from earmark.components.embed_dataset.component import embed_dataset

__all__ = ["embed_dataset"]
