"""The step compare_models."""

from earmark.components.compare_models.component import compare_models

__all__ = ["compare_models"]
