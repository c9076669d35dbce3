"""The step evaluate_package."""

from earmark.components.evaluate_package.component import evaluate_package

__all__ = ["evaluate_package"]
