"""The five networks of the paper and VGGish by name, their counts, and what the paper printed of them.

``create`` and ``count`` load torch on first use; names, options and the paper's tables do not.
"""

from typing import TYPE_CHECKING, Any

from earmark.architectures.compared import compare_request
from earmark.architectures.options import OPTIONS, Option, complete_options
from earmark.architectures.paper import PAPER, PAPER_TABLE_2, PAPER_TABLE_3, PAPER_TABLE_4, PaperCounts

if TYPE_CHECKING:
    from earmark.architectures.base import Network, scores_of
    from earmark.architectures.counting import Counts, LayerCount, count
    from earmark.architectures.registry import create

__all__ = [
    "OPTIONS",
    "PAPER",
    "PAPER_TABLE_2",
    "PAPER_TABLE_3",
    "PAPER_TABLE_4",
    "Counts",
    "LayerCount",
    "Network",
    "Option",
    "PaperCounts",
    "compare_request",
    "complete_options",
    "count",
    "create",
    "scores_of",
]

_NEED_TORCH = {
    "Network": "base",
    "Counts": "counting",
    "LayerCount": "counting",
    "count": "counting",
    "create": "registry",
    "scores_of": "base",
}


def __getattr__(name: str) -> Any:
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_NEED_TORCH[name]}"), name)
