"""Whether outputs rise when their label is truly heard, over clips whose true times are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from earmark.evaluation.report.data import Timeline
from earmark.metrics import score


def times_found(timelines: Sequence[Timeline]) -> tuple[float, int] | None:
    """Mean over the timelines' labels of :func:`inside_auc`, and of how many; None where no true times are known."""
    found = [
        auc
        for each in timelines
        for label, spans in each.spans.items()
        if label in each.outputs and (auc := inside_auc(each.times_s, each.outputs[label], spans)) is not None
    ]
    return (sum(found) / len(found), len(found)) if found else None


def inside_auc(
    times_s: Sequence[float], outputs: Sequence[float], spans: Sequence[tuple[float, float]]
) -> float | None:
    """How often an output at a moment inside the true times is above one outside (ties count half).

    None where the moments are all inside, or all outside.

    Args:
        times_s: of the outputs, (P).
        outputs: of one label, (P).
        spans: the label's true times.
    """
    t_P = np.asarray(times_s, dtype=np.float64)
    inside_P = np.zeros(len(t_P), bool)
    for start, end in spans:
        inside_P |= (t_P >= start) & (t_P <= end)
    if inside_P.all() or not inside_P.any():
        return None
    return float(score(inside_P[:, None], np.asarray(outputs)[:, None]).auc_C[0])
