"""What clips there are, how they are labelled and split, and what is wrong with them. Knows no audio maths."""

from earmark.catalog.assemble import assemble_dataset
from earmark.catalog.build import build_catalog
from earmark.catalog.dataset import Clip, Dataset
from earmark.catalog.findings import FINDINGS

__all__ = ["FINDINGS", "Clip", "Dataset", "assemble_dataset", "build_catalog"]
