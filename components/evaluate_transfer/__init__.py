"""The step evaluate_transfer."""

from earmark.components.evaluate_transfer.component import evaluate_transfer

__all__ = ["evaluate_transfer"]
