"""The model package and MLflow's registry of models: the only room that writes there."""

from earmark.registry.download import download, fetch_package, parse_reference
from earmark.registry.gate import check_protected, gate_model
from earmark.registry.news import find_champion, find_news
from earmark.registry.pack import Sounds
from earmark.registry.package import Package, read_package
from earmark.registry.pooled import record_pooled
from earmark.registry.promotion import Promotion, history, promote, rollback, who
from earmark.registry.register import register_model
from earmark.registry.retraining import Asked, check_asked, plan_retraining
from earmark.registry.source import fetch_source
from earmark.registry.uses import Use, trained_on
from earmark.registry.versions import ModelVersion, list_models

__all__ = [
    "Asked",
    "ModelVersion",
    "Package",
    "Promotion",
    "Sounds",
    "Use",
    "check_asked",
    "check_protected",
    "download",
    "fetch_package",
    "fetch_source",
    "find_champion",
    "find_news",
    "gate_model",
    "history",
    "list_models",
    "parse_reference",
    "plan_retraining",
    "promote",
    "read_package",
    "record_pooled",
    "register_model",
    "rollback",
    "trained_on",
    "who",
]
