"""Folds for data that names none, from its groups, so that every clip can be a test clip once.

Pure, and free of the order of the clips. Letters: N clips, G groups, C labels, K folds.
"""

from __future__ import annotations

import numpy as np

from earmark.catalog.grouped import Floats, Grouped
from earmark.errors import UserError


def made_names(count: int) -> list[str]:
    """What made folds are called."""
    return [str(number + 1) for number in range(count)]


def make_folds(grouped: Grouped, unit_G: Floats, count: int) -> list[str]:
    """A fold for each clip, (N,): groups whole, every label spread evenly.

    Each label, the rarest first, deals its groups, the largest first and equal ones in order of their hash, each to the
    fold with the fewest clips of that label (ties: with the fewest clips). So the folds' clips of a label differ by no
    more than its largest group where clips have one label.

    Args:
        grouped: the clips that count; others go with their groups, or to the first fold.
        unit_G: the groups' hashes.
        count: number of folds.

    Raises:
        UserError: a label has fewer groups than there are folds.
    """
    check_makeable(grouped, count)
    members = grouped.members(np.ones(len(grouped.group_N), bool), unit_G)
    clips_GC = np.zeros((len(grouped.groups), len(members)), np.int64)
    np.add.at(clips_GC, (grouped.group_N[grouped.clip_M], grouped.label_M), 1)
    fold_G = np.full(len(grouped.groups), -1)
    clips_KC = np.zeros((count, len(members)), np.int64)
    for label in sorted(range(len(members)), key=lambda label: (len(members[label]), label)):
        for group in sorted(members[label], key=lambda group: -clips_GC[group, label]):
            if fold_G[group] < 0:
                fold_G[group] = min(range(count), key=lambda fold: (clips_KC[fold, label], clips_KC[fold].sum(), fold))
                clips_KC[fold_G[group]] += clips_GC[group]
    names = made_names(count)
    return [names[max(0, fold)] for fold in fold_G[grouped.group_N].tolist()]


def check_makeable(grouped: Grouped, count: int) -> None:
    """Refuse more folds than a label has groups.

    Raises:
        UserError: with the first such label.
    """
    any_order_G = np.zeros(len(grouped.groups))
    every_N = np.ones(len(grouped.group_N), bool)
    for name, groups in zip(grouped.labels, grouped.members(every_N, any_order_G), strict=True):
        if len(groups) < count:
            raise UserError(
                f"label {name!r} has {len(groups)} group{'s' if len(groups) != 1 else ''} of clips, and {count} folds "
                "need one each: make fewer folds, or add clips of it"
            )
