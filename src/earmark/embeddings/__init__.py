"""Embeddings of clips: exported, whitened, quantised, searched."""
