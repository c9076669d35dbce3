"""Which clips are for training, validation and test: as the data says, or by the hash of each clip's group.

All functions are pure, and none depends on the order of the clips. A group's hash never changes, so what was test stays
test as data grows. Letters: N clips, G groups.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.grouped import Bools, Floats, Grouped
from earmark.catalog.made_folds import made_names
from earmark.config import DataConfig
from earmark.errors import UserError, unknown_name

SPLITS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)


def split_clips(
    grouped: Grouped, tied: Grouped, usable_N: Bools, given_N: NDArray[np.int8] | None, config: DataConfig
) -> NDArray[np.int8]:
    """The split of each clip, (N,); that of clips that were left out means nothing.

    Args:
        grouped: the clips and their groups.
        tied: the same, with groups that share a sound made one.
        usable_N: clips that have not been left out.
        given_N: the splits that the data gives, None where it gives none.
        config: shares.

    Raises:
        UserError: a label without what the splits need, or a split without a clip.
    """
    left = tied.only(usable_N)
    check_groups(left, given_N)
    if given_N is None:
        test_G = hashed_test(left, group_units(tied, grouped, "test"), config.test_share)
        split_N = np.where(test_G[tied.group_N], TEST, TRAIN).astype(np.int8)
    else:
        split_N = given_N.copy()
    if not (split_N[usable_N] == VALIDATION).any():
        train_N = usable_N & (split_N == TRAIN)
        validation_G = cut_validation(left, group_units(tied, grouped, "validation"), train_N, config.validation_share)
        split_N[train_N & validation_G[tied.group_N]] = VALIDATION
    for split, name in enumerate(SPLITS):
        if not (split_N[usable_N] == split).any():
            raise UserError(f"no usable clip is in {name}: add clips, in groups of their own")
    return split_N


def natural(names: Iterable[str]) -> list[str]:
    """Names in the order a person expects: fold 10 after fold 9."""
    return sorted(
        names, key=lambda name: ([_number_or_text(part) for part in re.findall(r"[0-9]+|[^0-9]+", name)], name)
    )


def _number_or_text(part: str) -> tuple[bool, int, str]:
    number = part[0] in "0123456789"
    return not number, int(part) if number else 0, part


def hash_unit(group: str, purpose: str) -> float:
    """A group's place in [0, 1), uniform over groups, independent between purposes, the same for ever."""
    return int.from_bytes(hashlib.blake2b(f"{purpose}\n{group}".encode(), digest_size=8).digest(), "big") / 2**64


def group_units(grouped: Grouped, original: Grouped, purpose: str) -> Floats:
    """The groups' hashes; groups made one take their lowest, so a test group that another is tied to stays test."""
    unit_G = np.array([hash_unit(group, purpose) for group in grouped.groups])
    lowest_G = np.ones(len(unit_G))
    np.minimum.at(lowest_G, grouped.group_N, unit_G[original.group_N])
    return lowest_G


def check_folds(config: DataConfig, folds: Sequence[str]) -> None:
    """Refuse folds that the data does not have, one fold in two parts, and folds to be made where there are some.

    Args:
        config: the folds asked for.
        folds: the folds that the data names.

    Raises:
        UserError: with the nearest fold there is.
    """
    if config.make_folds and folds:
        raise UserError(
            f"config data.make_folds is {config.make_folds} and the data names folds ({', '.join(folds)}): leave it out"
        )
    known = made_names(config.make_folds) if config.make_folds else folds
    for part in ("test_folds", "validation_folds"):
        wanted: tuple[str, ...] = getattr(config, part)
        if wanted and not known:
            raise UserError(f"config data.{part} names {wanted[0]!r} and the data has no folds: leave it out")
        for fold in wanted:
            if fold not in known:
                raise unknown_name(f"fold in config data.{part}:", fold, known)
    for fold in config.test_folds:
        if fold in config.validation_folds:
            raise UserError(f"fold {fold!r} is in config data.test_folds and in data.validation_folds: leave one out")


def given_splits(
    splits: Sequence[str | None],
    folds: Sequence[str | None],
    test_folds: Sequence[str],
    validation_folds: Sequence[str] = (),
) -> NDArray[np.int8] | None:
    """The splits that the data gives, (N,), None where it gives neither split nor fold.

    Named test folds come before the data's own splits, and those before its folds, of which the last is the test.
    Named validation folds leave the test clips as they are, and all others to training.

    Raises:
        UserError: nothing left to train on, or nothing to test on.
    """
    if splits and splits[0] is not None and not test_folds:
        code = {name: at for at, name in enumerate(SPLITS)}
        given = np.array([code[str(name)] for name in splits], np.int8)
    elif folds and folds[0] is not None:
        names = natural({str(fold) for fold in folds})
        rest = [name for name in names if name not in validation_folds] or names
        test = set(test_folds) or {rest[-1]}
        given = np.array([TEST if fold in test else TRAIN for fold in folds], np.int8)
        if not (given == TRAIN).any():
            raise UserError(
                f"all folds ({', '.join(names)}) are test: name fewer in config data.test_folds, or add folds"
            )
    else:
        return None
    if validation_folds:
        named_N = np.array([fold in validation_folds for fold in folds])
        given = np.where(given == TEST, TEST, np.where(named_N, VALIDATION, TRAIN)).astype(np.int8)
    for split in (TRAIN, TEST):
        if not (given == split).any():
            raise UserError(f"the data gives splits and puts no clip into {SPLITS[split]}: give it some, or no splits")
    return given


def hashed_test(grouped: Grouped, unit_G: Floats, test_share: float) -> Bools:
    """Which groups are test, (G,): those whose hash is below the share.

    A label that would have no test group gives its lowest; one that would keep fewer than two others (train and
    validation) gets back its highest, if no other label loses its only test group by that.
    """
    every = np.ones(len(grouped.group_N), bool)
    members = grouped.members(every, unit_G)
    held = _labels_by_group(grouped, members)
    test_G = unit_G < test_share
    for groups in members:
        if len(groups) > 1 and not test_G[groups].any():
            test_G[groups[0]] = True
    tests = [int(test_G[groups].sum()) for groups in members]
    for label, groups in enumerate(members):
        for group in reversed(groups):
            kept = len(groups) - tests[label]
            if kept >= min(2, max(1, len(groups) - 1)):
                break
            if test_G[group] and (kept == 0 or all(tests[other] > 1 for other in held[group])):
                test_G[group] = False
                for other in held[group]:
                    tests[other] -= 1
    return test_G


def cut_validation(grouped: Grouped, unit_G: Floats, train_N: Bools, share: float) -> Bools:
    """Which groups of the training clips become the validation part, (G,).

    Each label, the rarest first, gives its groups of lowest hash up to the share; at least one where it has two, and
    never the last that any label has in training.
    """
    members = grouped.members(train_N, unit_G)
    held = _labels_by_group(grouped, members)
    left = [len(groups) for groups in members]
    validation_G = np.zeros(len(grouped.groups), bool)
    for label in sorted(range(len(members)), key=lambda label: (left[label], label)):
        groups = members[label]
        wanted = min(max(1, round(share * len(groups))), len(groups) - 1)
        have = int(validation_G[groups].sum())
        for group in groups:
            if have >= wanted:
                break
            if not validation_G[group] and all(left[other] > 1 for other in held[group]):
                validation_G[group] = True
                have += 1
                for other in held[group]:
                    left[other] -= 1
    return validation_G


def check_groups(grouped: Grouped, given_N: NDArray[np.int8] | None) -> None:
    """Refuse labels with too few groups to be in every split.

    Where clips have one label each, each label needs a group for train, for validation and, unless the data gives the
    splits, for test. Where clips have several, each needs one to train on.

    Raises:
        UserError: with the first label in need, what it has, and the remedy.
    """
    any_order_G = np.zeros(len(grouped.groups))
    to_cut = grouped.single_label and (given_N is None or not (given_N[grouped.clip_M] == VALIDATION).any())
    train_N = np.ones(len(grouped.group_N), bool) if given_N is None else given_N == TRAIN
    needed = (3 if given_N is None else 2) if to_cut else 1
    parts = "train, validation and test" if given_N is None else "train and validation"
    remedy = "add clips of it, or leave it out"
    for name, groups in zip(grouped.labels, grouped.members(train_N, any_order_G), strict=True):
        if not groups and given_N is not None:
            raise UserError(
                f"label {name!r} has no clip in train, so it cannot be learnt: {remedy} (it is only in test)"
            )
        if len(groups) < needed:
            where = "" if given_N is None else " in train"
            raise UserError(
                f"label {name!r} has {len(groups)} group{'s' if len(groups) != 1 else ''} of clips{where}, and {parts} "
                f"need one each: {remedy}"
            )


def _labels_by_group(grouped: Grouped, members: list[list[int]]) -> list[list[int]]:
    held: list[list[int]] = [[] for _ in grouped.groups]
    for label, groups in enumerate(members):
        for group in groups:
            held[group].append(label)
    return held
