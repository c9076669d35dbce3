"""The metrics as Kubeflow's pages show them."""

from __future__ import annotations

import json
import math

from kfp import dsl

from earmark.store import Manifest, Store

SHOWN = ("auc", "d_prime", "map", "accuracy")
MOST_LABELS = 60


def show(store: Store, metrics: Manifest, scores: dsl.Metrics, confusion: dsl.ClassificationMetrics) -> None:
    """Fill KFP's own artifacts from an evaluation's result; a confusion matrix only where clips have one label."""
    for name in SHOWN:
        value = metrics.facts["test"].get(name)
        if value is not None and math.isfinite(value):
            scores.log_metric(name, float(value))
    tables = json.loads(metrics.files["metrics.json"].read(store))
    matrix = tables.get("confusion")
    if matrix and len(matrix["labels"]) <= MOST_LABELS:
        confusion.log_confusion_matrix(matrix["labels"], matrix["counts"])
