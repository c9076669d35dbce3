"""Parts of a dataset's clips, chosen by hash: nested shares, so many a label, evenly over labels.

All are pure and none depends on the order of the clips. Letters: N clips, C labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.splits import hash_unit

Labels = Sequence[Sequence[int]]
Bools = NDArray[np.bool_]


def most_frequent(labels_N: Labels, n_labels: int, count: int) -> list[int]:
    """The ``count`` labels that most clips carry, ascending; of equals the ones of lower index."""
    clips_C = _clips_of(labels_N, n_labels)
    return sorted(sorted(range(n_labels), key=lambda label: (-clips_C[label], label))[:count])


def nested_share(keys_N: Sequence[str], labels_N: Labels, n_labels: int, share: float) -> Bools:
    """A share of the clips, (N,), rounded up: about that share of each label, one of each at least.

    Smaller shares are parts of larger ones. Clips are taken by their place among those of their rarest label, in order
    of their hashes; of each label its first clip is always among them.
    """
    order, first_C = _stratified(keys_N, labels_N, n_labels)
    chosen_N = np.zeros(len(keys_N), bool)
    chosen_N[order[: math.ceil(share * len(keys_N))]] = True
    chosen_N[first_C] = True
    return chosen_N


def at_least(keys_N: Sequence[str], labels_N: Labels, n_labels: int, clips: int) -> Bools:
    """Clips, (N,), until each label has ``clips`` of them, or all that there are; fewer are parts of more.

    In rounds: in round r each label, the rarest first, takes its next clip by hash unless r of its clips are taken.
    """
    order, _ = _stratified(keys_N, labels_N, n_labels)
    clips_C = _clips_of(labels_N, n_labels)
    of_C = _by_label(order, labels_N, n_labels)
    taken_C = np.zeros(n_labels, np.int64)
    chosen_N = np.zeros(len(keys_N), bool)
    for wanted in range(1, clips + 1):
        for label in sorted(range(n_labels), key=lambda label: (clips_C[label], label)):
            if taken_C[label] >= min(wanted, clips_C[label]):
                continue
            clip = next(clip for clip in of_C[label] if not chosen_N[clip])
            chosen_N[clip] = True
            taken_C[list(labels_N[clip])] += 1
    return chosen_N


def balanced(keys_N: Sequence[str], labels_N: Labels, n_labels: int, clips: int, cap: float) -> Bools:
    """About ``clips`` clips of each label, (N,), as the paper's evaluation sets.

    Labels, the rarest first, take clips in order of their hash until they have ``clips`` or no more. A clip that would
    bring another label over ``cap`` × ``clips`` is passed over while the label has others.
    """
    order, _ = _stratified(keys_N, labels_N, n_labels)
    clips_C = _clips_of(labels_N, n_labels)
    of_C = _by_label(order, labels_N, n_labels)
    taken_C = np.zeros(n_labels, np.int64)
    chosen_N = np.zeros(len(keys_N), bool)
    for label in sorted(range(n_labels), key=lambda label: (clips_C[label], label)):
        for keep_cap in (True, False):
            for clip in of_C[label]:
                if taken_C[label] >= clips:
                    break
                others = [other for other in labels_N[clip] if other != label]
                if chosen_N[clip] or (keep_cap and any(taken_C[other] >= cap * clips for other in others)):
                    continue
                chosen_N[clip] = True
                taken_C[list(labels_N[clip])] += 1
    return chosen_N


def _stratified(keys_N: Sequence[str], labels_N: Labels, n_labels: int) -> tuple[list[int], list[int]]:
    """Clips in an order whose every beginning has about the same share of each label, and each label's first clip."""
    hash_N = [hash_unit(key, "subset") for key in keys_N]
    clips_C = _clips_of(labels_N, n_labels)
    place_N = list(hash_N)
    firsts: list[int] = []
    for label, clips in enumerate(_by_label(sorted(range(len(keys_N)), key=hash_N.__getitem__), labels_N, n_labels)):
        firsts += clips[:1]
        rarest = [clip for clip in clips if min(labels_N[clip], key=lambda c: (clips_C[c], c)) == label]
        for rank, clip in enumerate(rarest):
            place_N[clip] = (rank + 0.5) / len(rarest)
    return sorted(range(len(keys_N)), key=lambda clip: (place_N[clip], hash_N[clip])), firsts


def _by_label(order: Sequence[int], labels_N: Labels, n_labels: int) -> list[list[int]]:
    of_C: list[list[int]] = [[] for _ in range(n_labels)]
    for clip in order:
        for label in labels_N[clip]:
            of_C[label].append(clip)
    return of_C


def _clips_of(labels_N: Labels, n_labels: int) -> NDArray[np.int64]:
    return np.bincount([label for labels in labels_N for label in labels], minlength=n_labels).astype(np.int64)
