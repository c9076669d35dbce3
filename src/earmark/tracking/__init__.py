"""MLflow runs: a parent for each pipeline run, a child for each network. Works without a server."""

from earmark.tracking.connection import tracking_uri
from earmark.tracking.context import DatasetFacts, RunContext
from earmark.tracking.points import flat
from earmark.tracking.tracker import ChildRun, Tracker

__all__ = ["ChildRun", "DatasetFacts", "RunContext", "Tracker", "flat", "tracking_uri"]
