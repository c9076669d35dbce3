"""What a run needs, tried at once from where it is asked; each line says what is so, and the remedy."""

from earmark.checking.data import check_data
from earmark.checking.lines import Line, exit_code, one_line, run_checks, written
from earmark.checking.mlflow import check_mlflow
from earmark.checking.store import check_store
from earmark.checking.versions import check_versions

__all__ = [
    "Line",
    "check_data",
    "check_mlflow",
    "check_store",
    "check_versions",
    "exit_code",
    "one_line",
    "run_checks",
    "written",
]
