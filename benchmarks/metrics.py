"""AP and AUC of every class against scikit-learn, and bootstrap intervals, each timed in this one process.

python benchmarks/metrics.py [clips] [classes]
"""

from __future__ import annotations

import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from earmark.metrics import bootstrap, score


def seconds(work: Callable[[], Any], repeats: int) -> float:
    """Median processor time of ``repeats`` runs."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def sklearn_scores(targets: Any, scores: Any) -> tuple[list[float], list[float]]:
    pairs = list(zip(targets.T, scores.T, strict=True))
    return [average_precision_score(t, s) for t, s in pairs], [roc_auc_score(t, s) for t, s in pairs]


def main(clips: int = 20_000, classes: int = 527) -> None:
    draw = np.random.default_rng(0)
    priors = 10 ** draw.uniform(-2.5, -0.7, classes)
    targets = draw.random((clips, classes)) < priors
    targets[:2] = [[True], [False]]
    scores = (draw.standard_normal((clips, classes)) + 1.5 * targets).astype(np.float32)
    score(targets, scores)
    ours, theirs = [], []
    for _ in range(3):
        ours.append(seconds(lambda: score(targets, scores), 3))
        theirs.append(seconds(lambda: sklearn_scores(targets, scores), 1))
    found, (ap, auc) = score(targets, scores), sklearn_scores(targets, scores)
    furthest = max(np.abs(found.ap_C - ap).max(), np.abs(found.auc_C - auc).max())
    tracemalloc.start()
    score(targets, scores)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    us, them = statistics.median(ours), statistics.median(theirs)
    print(f"AP and AUC, {clips:,} clips x {classes} classes, float32 scores, processor time")
    print(f"  scikit-learn   {them:8.3f} s")
    print(f"  earmark        {us:8.3f} s   {them / us:.1f}x   beyond the inputs {peak / 2**20:.0f} MiB")
    print(f"  largest difference {furthest:.1e}")
    small = np.eye(10, dtype=bool)[draw.integers(0, 10, 80)]
    small_scores = (draw.standard_normal((80, 10)) + small).astype(np.float32)
    print(f"bootstrap, 1000 resamples of 80 x 10: {1000 * seconds(lambda: bootstrap(small, small_scores), 5):.0f} ms")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
