"""AP and AUC of every class against scikit-learn and torchmetrics, and what a million clips take.

python -m benchmarks.suites.metrics CLIPS CLASSES BLOCK   # the largest alone, in this process
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Figure, interleaved, ratios
from benchmarks.machine import ROOT
from benchmarks.suites.scale import peak_mib
from earmark.metrics import bootstrap, calibrate, score, score_blocks

TITLE = "Metrics: AP and AUC against scikit-learn and torchmetrics, bootstrap, calibration, a million clips"
GOAL = 15
WANTED = {20_000: 25.0, 100_000: 25.0, 1_000_000: 35.0}
"""Times as fast as scikit-learn, by number of clips."""
TIMED_CLASSES = 8
"""The peers take as long for each class: so many are timed."""
EXACT = 1e-12
LARGEST = (1_000_000, 3_087, 16)
"""Clips, labels, labels a block."""


def measure(full: bool) -> Iterator[Figure]:
    """Ratios of processor time in one thread, the largest difference, and the memory beyond a block of scores."""
    for clips, classes in ((20_000, 527), (100_000, 128), *([(1_000_000, 16)] if full else [])):
        yield from _against_peers(clips, classes, rounds=5 if clips < 1_000_000 else 3)
    yield from _intervals(1_000_000 if full else 20_000)
    clips, classes, block = LARGEST if full else (100_000, 527, 16)
    yield from _blocks(clips, classes, block, goal=full)


def made(clips: int, classes: int) -> tuple[Any, Any]:
    """Targets of 0.3 % to 20 % of the clips, and float32 scores that tell them apart as well as networks do."""
    draw = np.random.default_rng(0)
    priors = 10 ** draw.uniform(-2.5, -0.7, classes)
    targets_NC = draw.random((clips, classes), np.float32) < priors
    targets_NC[:2] = [[True], [False]]
    scores_NC = draw.standard_normal((clips, classes), np.float32)
    scores_NC += np.float32(1.5) * targets_NC
    return targets_NC, scores_NC


def _against_peers(clips: int, classes: int, rounds: int) -> Iterator[Figure]:
    targets_NC, scores_NC = made(clips, classes)
    few = slice(0, TIMED_CLASSES)
    works = {
        "earmark": lambda: score(targets_NC, scores_NC),
        "scikit-learn": lambda: scikit_learn(targets_NC[:, few], scores_NC[:, few]),
    }
    torchmetrics = _torchmetrics()
    if torchmetrics is not None:
        works["torchmetrics"] = partial(torchmetrics, targets_NC[:, few], scores_NC[:, few])
    times = interleaved(works, rounds)
    for peer in list(works)[1:]:
        times[peer] = [seconds * classes / TIMED_CLASSES for seconds in times[peer]]
        name, title = f"metrics/{clips}x{classes}/{peer}", f"AP and AUC, {clips:,} clips x {classes} classes"
        wanted = WANTED[clips] if peer == "scikit-learn" else None
        took = f"{min(times['earmark']):.3f} s, {peer} {min(times[peer]):.2f} s"
        peer_ratios = ratios(times, peer)
        yield Figure(name, title, peer_ratios, "x", "more", peer, GOAL, floor=12.0, wanted=wanted, note=took)
    found, (ap, auc) = score(targets_NC[:, few], scores_NC[:, few]), scikit_learn(targets_NC[:, few], scores_NC[:, few])
    furthest = float(max(np.abs(found.ap_C - ap).max(), np.abs(found.auc_C - auc).max()))
    name, title = (
        f"metrics/{clips}x{classes}/difference",
        f"largest difference, {clips:,} clips x {TIMED_CLASSES} classes",
    )
    yield Figure(name, title, (furthest,), "", "less", "scikit-learn", GOAL, floor=EXACT, wanted=EXACT)


def scikit_learn(targets_NC: Any, scores_NC: Any) -> tuple[list[float], list[float]]:
    """AP and AUC of every class."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    pairs = list(zip(targets_NC.T, scores_NC.T, strict=True))
    return [average_precision_score(t, s) for t, s in pairs], [roc_auc_score(t, s) for t, s in pairs]


def _torchmetrics() -> Any:
    """AP and AUC of every class by torchmetrics, exact; None where it is not installed."""
    try:
        import torch
        from torchmetrics.functional.classification import multilabel_auroc, multilabel_average_precision
    except ImportError:
        return None
    torch.set_num_threads(1)

    def work(targets_NC: Any, scores_NC: Any) -> None:
        target, preds = torch.from_numpy(targets_NC.astype(np.int64)), torch.from_numpy(scores_NC).sigmoid()
        multilabel_average_precision(preds, target, target.shape[1], average=None, thresholds=None)
        multilabel_auroc(preds, target, target.shape[1], average=None, thresholds=None)

    return work


def _intervals(clips: int) -> Iterator[Figure]:
    """What a thousand bootstrap resamples and a calibration take, from sixteen of them and from ten labels."""
    targets_NC, scores_NC = made(clips, 10)
    resamples = 16 if clips > 100_000 else 100
    started = time.process_time()
    bootstrap(targets_NC, scores_NC, resamples=resamples)
    each = (time.process_time() - started) * 1000 / resamples / 10
    title = f"bootstrap, 1,000 resamples of {clips:,} clips, each label"
    yield Figure(f"metrics/{clips}/bootstrap", title, (each,), "s", "less")
    started = time.process_time()
    calibrate(targets_NC, 1 / (1 + np.exp(-scores_NC)), "sigmoid")
    took = (time.process_time() - started) / 10
    title = f"calibration cross-fitted and thresholds chosen on {clips:,} clips, each label"
    yield Figure(f"metrics/{clips}/calibration", title, (took,), "s", "less")


def _blocks(clips: int, classes: int, block: int, goal: bool) -> Iterator[Figure]:
    """Scores that come a block of labels at a time, in a process of its own so that its peak is its own."""
    command = [sys.executable, "-m", "benchmarks.suites.metrics", str(clips), str(classes), str(block)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    name, title = f"metrics/blocks/{clips}x{classes}", f"{clips:,} clips x {classes:,} labels, {block} labels a block"
    number, wanted = (GOAL, 40.0) if goal else (0, None)
    yield Figure(f"{name}/seconds", title, (found["seconds"],), "s", "less", goal=number, wanted=wanted)
    title = f"{title}: memory beyond one block of scores"
    yield Figure(f"{name}/memory", title, (found["mib"],), "MiB", "less", goal=number, floor=1024.0, wanted=1024.0)


def main(clips: int, classes: int, block: int) -> None:
    """Score one made-up block again and again as if it were the next; seconds and MiB beyond it as a JSON line."""
    targets_NB, scores_NB = made(clips, block)
    held = (targets_NB.nbytes + scores_NB.nbytes) / 2**20
    started = time.process_time()
    widths = [min(block, classes - first) for first in range(0, classes, block)]
    score_blocks((targets_NB[:, :width], scores_NB[:, :width]) for width in widths)
    print(json.dumps({"seconds": time.process_time() - started, "mib": peak_mib() - held}))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
