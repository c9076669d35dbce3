"""Scoring clips, comparing networks, and the report.

What scores clips loads torch on first use; comparing does not.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from earmark.evaluation.compare import compare_models
    from earmark.evaluation.evaluate import evaluate_model
    from earmark.evaluation.model import ClipScores, Model, load_model, score_clip

__all__ = ["ClipScores", "Model", "compare_models", "evaluate_model", "load_model", "score_clip"]

_MODULES = {
    "ClipScores": "model",
    "Model": "model",
    "compare_models": "compare",
    "evaluate_model": "evaluate",
    "load_model": "model",
    "score_clip": "model",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
