"""The step register_model."""

from earmark.components.register_model.component import register_model

__all__ = ["register_model"]
