"""The step plan_retraining."""

from earmark.components.plan_retraining.component import plan_retraining

__all__ = ["plan_retraining"]
