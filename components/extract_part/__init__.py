"""The step extract_part."""

from earmark.components.extract_part.component import extract_part

__all__ = ["extract_part"]
