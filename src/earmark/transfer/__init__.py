"""A trained network's embeddings, made once, and new heads on them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from earmark.evaluation.labelled_clips import Packaged as Source
    from earmark.transfer.asked import probe_request, transfer_request
    from earmark.transfer.batch import fit_batch
    from earmark.transfer.embed import embed_dataset
    from earmark.transfer.evaluate import evaluate_head
    from earmark.transfer.fit import is_head, train_head
    from earmark.transfer.met import met_before
    from earmark.transfer.records import read_embeddings

__all__ = [
    "Source",
    "embed_dataset",
    "evaluate_head",
    "fit_batch",
    "is_head",
    "met_before",
    "probe_request",
    "read_embeddings",
    "train_head",
    "transfer_request",
]

_MODULES = {
    "embed_dataset": "embed",
    "evaluate_head": "evaluate",
    "fit_batch": "batch",
    "is_head": "fit",
    "met_before": "met",
    "probe_request": "asked",
    "read_embeddings": "records",
    "train_head": "fit",
    "transfer_request": "asked",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "Source":
        return import_module("earmark.evaluation.labelled_clips").Packaged
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
