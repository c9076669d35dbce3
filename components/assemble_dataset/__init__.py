"""The step assemble_dataset."""

from earmark.components.assemble_dataset.component import assemble_dataset

__all__ = ["assemble_dataset"]
