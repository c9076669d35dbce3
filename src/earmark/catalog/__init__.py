"""What clips there are, how they are labelled and split, and what is wrong with them. Knows no audio maths."""

from earmark.catalog.assemble import assemble_dataset
from earmark.catalog.build import build_catalog
from earmark.catalog.dataset import Clip, Dataset
from earmark.catalog.findings import FINDINGS
from earmark.catalog.folds import Extent, NamedFolds, read_extent, read_folds
from earmark.catalog.listed import list_clips

__all__ = [
    "FINDINGS",
    "Clip",
    "Dataset",
    "Extent",
    "NamedFolds",
    "assemble_dataset",
    "build_catalog",
    "list_clips",
    "read_extent",
    "read_folds",
]
