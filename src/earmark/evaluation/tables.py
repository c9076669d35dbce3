"""Scores as plain JSON values: summaries with intervals, a row a label, the confusion matrix.

What is not a finite number is None: an undefined score, and d-prime where AUC is 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.config import EvaluateConfig
from earmark.metrics import Interval, Intervals, Scores, bootstrap, confusion, one_best_accuracy, recall, score

SUMMARY = ("auc", "d_prime", "map", "accuracy")


def split_tables(
    targets_NC: NDArray[np.float32],
    scores_NC: NDArray[np.float32],
    groups: Sequence[str],
    labels: Sequence[str],
    single_label: bool,
    config: EvaluateConfig,
    seed: int,
) -> dict[str, Any]:
    """All tables of one split.

    Args:
        targets_NC: 0 or 1.
        scores_NC: clip scores.
        groups: what each clip was cut from; the bootstrap draws groups whole.
        labels: names.
        single_label: whether clips have one label each; without, there is neither accuracy nor confusion.
        config: resamples and confidence.
        seed: of the bootstrap.

    Returns:
        ``clips``, ``summary`` (each score with ``_low`` and ``_high``), ``classes``, ``without_positives`` (names),
        ``confusion`` (``labels`` and ``counts``, or None).
    """
    if not len(targets_NC):
        return {
            "clips": 0,
            "summary": {f"{name}{end}": None for name in SUMMARY for end in ("", "_low", "_high")},
            "classes": [],
            "without_positives": list(labels),
            "confusion": None,
        }
    found = score(targets_NC, scores_NC)
    spans = bootstrap(
        targets_NC,
        scores_NC,
        groups=groups,
        resamples=config.bootstrap_resamples,
        confidence=config.confidence,
        seed=seed,
    )
    counts = confusion(targets_NC, scores_NC).tolist() if single_label else None
    return {
        "clips": found.clips,
        "summary": _summary(found, spans, one_best_accuracy(targets_NC, scores_NC) if single_label else None),
        "classes": _classes(labels, found, spans, recall(targets_NC, scores_NC)),
        "without_positives": [label for label, count in zip(labels, found.positives_C, strict=True) if not count],
        "confusion": {"labels": list(labels), "counts": counts} if single_label else None,
    }


def _summary(found: Scores, spans: Intervals, accuracy: float | None) -> dict[str, float | None]:
    row: dict[str, float | None] = {}
    for name, value, span in (
        ("auc", found.auc, spans.auc),
        ("d_prime", found.d_prime, spans.d_prime),
        ("map", found.map, spans.map),
        ("accuracy", accuracy, spans.accuracy if accuracy is not None else Interval(math.nan, math.nan)),
    ):
        row |= spanned(name, value, span)
    return row


def _classes(
    labels: Sequence[str], found: Scores, spans: Intervals, recall_C: NDArray[np.float64]
) -> list[dict[str, Any]]:
    rows = []
    for c, label in enumerate(labels):
        positives = int(found.positives_C[c])
        row: dict[str, Any] = {"label": label, "positives": positives, "prior": positives / found.clips}
        row |= spanned("ap", found.ap_C[c], spans.ap_C2[c])
        row |= spanned("auc", found.auc_C[c], spans.auc_C2[c])
        row |= spanned("d_prime", found.d_prime_C[c], spans.d_prime_C2[c])
        row |= spanned("recall", recall_C[c], spans.recall_C2[c])
        rows.append(row)
    return rows


def spanned(name: str, value: float | None, span: Sequence[float] | NDArray[np.float64]) -> dict[str, float | None]:
    """A score and the ends of its interval under its name, ``_low`` and ``_high``."""
    return {name: _finite(value), f"{name}_low": _finite(span[0]), f"{name}_high": _finite(span[1])}


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
