"""Scoring clips, comparing networks, and the report.

What scores clips loads torch on first use; comparing does not.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from earmark.evaluation.compare import compare_models
    from earmark.evaluation.crossval import check_none_failed, pool_models
    from earmark.evaluation.evaluate import evaluate_model
    from earmark.evaluation.labelled import evaluate_package
    from earmark.evaluation.labelled_clips import Packaged
    from earmark.evaluation.labelled_report import report_package
    from earmark.evaluation.model import ClipScores, Model, load_model, model_of, score_clip

__all__ = [
    "ClipScores",
    "Model",
    "Packaged",
    "check_none_failed",
    "compare_models",
    "evaluate_model",
    "evaluate_package",
    "load_model",
    "model_of",
    "pool_models",
    "report_package",
    "score_clip",
]

_MODULES = {
    "ClipScores": "model",
    "Model": "model",
    "Packaged": "labelled_clips",
    "check_none_failed": "crossval",
    "compare_models": "compare",
    "evaluate_model": "evaluate",
    "evaluate_package": "labelled",
    "load_model": "model",
    "model_of": "model",
    "pool_models": "crossval",
    "report_package": "labelled_report",
    "score_clip": "model",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
