"""Embeddings of clips: export, PCA and whitening, 8 bits, neighbours."""

from earmark.embeddings.export import export_embeddings
from earmark.embeddings.folder import About, Opened, new_folder, read_folder
from earmark.embeddings.linear import embed_windows, linear_values
from earmark.embeddings.pca import COMPONENTS, Pca
from earmark.embeddings.quantise import dequantise, quantise
from earmark.embeddings.sound import KINDS, Embedded, embed_sound, floats_of, nearest, values_of
from earmark.embeddings.training import training_pca

__all__ = [
    "COMPONENTS",
    "KINDS",
    "About",
    "Embedded",
    "Opened",
    "Pca",
    "dequantise",
    "embed_sound",
    "embed_windows",
    "export_embeddings",
    "floats_of",
    "linear_values",
    "nearest",
    "new_folder",
    "quantise",
    "read_folder",
    "training_pca",
    "values_of",
]
