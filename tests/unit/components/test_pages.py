"""What Kubeflow's own pages show of an evaluation."""

import pytest
from kfp import dsl

from earmark.components.pages import MOST_LABELS, show
from earmark.store import once, open_store


def evaluated(store, labels, test):
    counts = [[3 if i == j else 1 for j in range(len(labels))] for i in range(len(labels))]
    confusion = {"labels": labels, "counts": counts} if labels else None

    def work(attempt):
        attempt.put_json("metrics.json", {"confusion": confusion})
        attempt.facts = {"test": test}

    return once(store, "evaluate_model", f"key-{len(labels)}", work)


@pytest.fixture
def pages():
    return dsl.Metrics(name="scores"), dsl.ClassificationMetrics(name="confusion")


def test_scores_and_confusion_are_shown(tmp_path, pages):
    store = open_store(tmp_path)
    scores, confusion = pages
    test = {"auc": 0.9, "d_prime": 1.8, "map": 0.7, "accuracy": 0.75, "map_low": 0.6}
    show(store, evaluated(store, ["dog", "rain"], test), scores, confusion)
    assert scores.metadata == {"auc": 0.9, "d_prime": 1.8, "map": 0.7, "accuracy": 0.75}
    matrix = confusion.metadata["confusionMatrix"]
    assert [spec["displayName"] for spec in matrix["annotationSpecs"]] == ["dog", "rain"]
    assert [row["row"] for row in matrix["rows"]] == [[3, 1], [1, 3]]


def test_what_is_undefined_is_left_out(tmp_path, pages):
    store = open_store(tmp_path)
    scores, confusion = pages
    show(store, evaluated(store, [], {"auc": 0.9, "d_prime": None, "map": 0.7, "accuracy": None}), scores, confusion)
    assert scores.metadata == {"auc": 0.9, "map": 0.7}
    assert "confusionMatrix" not in confusion.metadata


def test_a_matrix_too_large_for_an_artifact_is_left_out(tmp_path, pages):
    store = open_store(tmp_path)
    scores, confusion = pages
    labels = [f"label {i}" for i in range(MOST_LABELS + 1)]
    show(store, evaluated(store, labels, {"auc": 0.9}), scores, confusion)
    assert "confusionMatrix" not in confusion.metadata
