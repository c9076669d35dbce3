"""The step evaluate_model."""

from earmark.components.evaluate_model.component import evaluate_model

__all__ = ["evaluate_model"]
