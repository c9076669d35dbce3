"""The numbers of each figure as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from earmark.evaluation.report.data import ClassScore, Network, Timeline

SCORES = ("ap", "auc", "d_prime", "recall")


def classes_csv(classes: Sequence[ClassScore]) -> bytes:
    """A row a label: label, positives, prior, then each score with the ends of its interval.

    An undefined score is empty; d-prime of a label that is told apart without an error is ``inf``.
    """
    head = ["label", "positives", "prior", *(f"{name}{end}" for name in SCORES for end in ("", "_low", "_high"))]
    rows = []
    for c in classes:
        spans = [getattr(c, name) for name in SCORES]
        rows.append(
            [c.label, c.positives, _plain(c.prior), *(_plain(v) for e in spans for v in (e.value, e.low, e.high))]
        )
    return _csv(head, rows)


def curves_csv(networks: Sequence[Network]) -> bytes:
    """A row a point: network, measure (``train_loss``, ``validation_map`` and others), step, value."""
    rows = []
    for network in networks:
        curves = {"train_loss": network.train_curve}
        curves |= {f"validation_{name}": points for name, points in network.validation_curves.items()}
        for name, points in curves.items():
            rows += [[network.variant, name, f"{step:g}", _plain(value)] for step, value in points]
    return _csv(["network", "measure", "step", "value"], rows)


def timeline_csv(timeline: Timeline) -> bytes:
    """A row a time (seconds in the clip, of a window's centre): each label's output, and 1 or 0 for whether it is truly
    heard then, in columns ``LABEL (true)`` where that is known."""
    timed = [name for name in timeline.outputs if timeline.spans]
    rows = []
    for i, time in enumerate(timeline.times_s):
        heard = [any(a <= time <= b for a, b in timeline.spans.get(name, ())) for name in timed]
        outputs = [_plain(scores[i]) for scores in timeline.outputs.values()]
        rows.append([_plain(timeline.sound.start_s + time), *outputs, *(str(int(each)) for each in heard)])
    return _csv(["time_s", *timeline.outputs, *(f"{name} (true)" for name in timed)], rows)


def _plain(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return repr(round(value, 6)).removesuffix(".0") if math.isfinite(value) else str(value)


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return file.getvalue().encode()
