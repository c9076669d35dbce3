"""The step finish_run."""

from earmark.components.finish_run.component import finish_run

__all__ = ["finish_run"]
