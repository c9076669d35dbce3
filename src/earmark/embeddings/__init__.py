"""Embeddings of clips: export, PCA and whitening, 8 bits, neighbours."""

from earmark.embeddings.linear import embed_windows, linear_values
from earmark.embeddings.pca import COMPONENTS, Pca
from earmark.embeddings.quantise import dequantise, quantise
from earmark.embeddings.training import training_pca

__all__ = ["COMPONENTS", "Pca", "dequantise", "embed_windows", "linear_values", "quantise", "training_pca"]
