"""The step extract_features."""

from earmark.components.extract_features.component import extract_features

__all__ = ["extract_features"]
