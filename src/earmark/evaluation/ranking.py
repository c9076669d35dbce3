"""Who is first: by the validation part. The test part only reports."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from earmark.errors import EarmarkError
from earmark.store import Manifest

COSTS = ("steps", "seconds", "weights", "multiplies")
PAID = ("gpu_seconds", "cost", "uncounted_attempts")
"""Costs that only some machines have."""


def by_validation(metrics: Sequence[Manifest]) -> list[Manifest]:
    """Evaluations by validation mAP, the best first; ties by validation accuracy, then by name."""
    return sorted(metrics, key=lambda m: (*standing(m.facts["validation"]), m.facts["variant"]))


def by_test(metrics: Sequence[Manifest]) -> list[str]:
    """Variants by test mAP, the best first; ties by test accuracy, then by name."""
    order = sorted(metrics, key=lambda m: (*standing(m.facts["test"]), m.facts["variant"]))
    return [m.facts["variant"] for m in order]


def check_same_clips(metrics: Sequence[Manifest]) -> None:
    """Refuse to rank networks that were scored on different clips.

    Raises:
        EarmarkError: names both digests.
    """
    for other in metrics[1:]:
        first = metrics[0]
        if other.facts["digest"] != first.facts["digest"]:
            raise EarmarkError(
                f"{first.facts['variant']} was scored on clips {first.facts['digest']}, {other.facts['variant']} on "
                f"{other.facts['digest']}: their scores cannot be ranked; evaluate both on the same dataset "
                "(run evaluate_model again for one of them)"
            )


def network_facts(metrics: Manifest, checkpoint: Manifest) -> dict[str, Any]:
    """One network in the comparison: its name, what it cost, its test scores, its validation scores."""
    return {
        "name": metrics.facts["variant"],
        "architecture": metrics.facts["name"],
        **{name: checkpoint.facts[name] for name in COSTS},
        **{name: checkpoint.facts[name] for name in PAID if name in checkpoint.facts},
        **metrics.facts["test"],
        "validation": metrics.facts["validation"],
    }


def standing(scores: Mapping[str, float | None]) -> tuple[float, float]:
    """Sorts the best mAP first, ties by accuracy, and what is undefined last."""
    best, tie = (math.inf if value is None else -value for value in (scores["map"], scores["accuracy"]))
    return best, tie
