"""The step read_embeddings."""

from earmark.components.read_embeddings.component import read_embeddings

__all__ = ["read_embeddings"]
