"""The model package and MLflow's registry of models: the only room that writes there."""

from earmark.registry.download import download, fetch_package
from earmark.registry.package import Package, read_package
from earmark.registry.pooled import record_pooled
from earmark.registry.register import register_model
from earmark.registry.versions import ModelVersion, list_models

__all__ = [
    "ModelVersion",
    "Package",
    "download",
    "fetch_package",
    "list_models",
    "read_package",
    "record_pooled",
    "register_model",
]
