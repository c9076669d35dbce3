"""The step export_embeddings."""

from earmark.components.export_embeddings.component import export_embeddings

__all__ = ["export_embeddings"]
