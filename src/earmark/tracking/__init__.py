"""MLflow runs: a parent for each pipeline run, a child for each network. Works without a server."""

from earmark.tracking.connection import connect, mlflow_needed, tracking_uri
from earmark.tracking.context import DatasetFacts, RunContext
from earmark.tracking.ended import end_run
from earmark.tracking.outcome import Outcome, close_outcome, close_parent, open_outcome
from earmark.tracking.points import flat
from earmark.tracking.runs import parent_run
from earmark.tracking.tracker import ChildRun, Tracker

__all__ = [
    "ChildRun",
    "DatasetFacts",
    "Outcome",
    "RunContext",
    "Tracker",
    "close_outcome",
    "close_parent",
    "connect",
    "end_run",
    "flat",
    "mlflow_needed",
    "open_outcome",
    "parent_run",
    "tracking_uri",
]
