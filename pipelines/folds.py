"""Which folds and seeds a cross-validation runs over, and the experiment that this makes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from earmark.architectures import compare_request
from earmark.catalog import read_folds
from earmark.config import DataConfig, Experiment, Variant, merge
from earmark.errors import UserError, unknown_name

MOST_SEEDS = 100


@dataclass(frozen=True)
class Folds:
    """Folds that take turns.

    Attributes:
        names: at least two; empty where the data's own split is used.
        part: the config field that each of them is named in, test_folds or validation_folds.
        make: how many are made from the groups, None where the data names them.
    """

    names: tuple[str, ...] = ()
    part: str = "test_folds"
    make: int | None = None


def choose_folds(text: str, data: str, config: DataConfig) -> Folds:
    """``--folds``: all, names, or a number of folds to make where the data names none.

    Folds are the test set in turn; where the data says which clips are test, they are the validation part in turn.

    Raises:
        UserError: a fold that is not there (with the nearest name), one fold only, no folds to name or to make.
    """
    found = read_folds(data, config)
    part = "validation_folds" if found.has_test else "test_folds"
    wanted = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not found.names:
        return _made(text, data, has_splits=found.has_splits)
    if text.strip() == "all":
        wanted = list(found.names)
    for name in wanted:
        if name not in found.names:
            raise unknown_name("fold in --folds:", name, found.names)
    if len(wanted) < 2:
        what = f"--folds {text!r} is {'one fold' if wanted else 'no fold'}"
        raise UserError(
            f"{what} and needs two or more: name more of {', '.join(found.names)}, or --folds all; one fold alone is "
            f"--set {'data.' + part}=[{wanted[0] if wanted else found.names[-1]}]"
        )
    return Folds(tuple(wanted), part)


def _made(text: str, data: str, *, has_splits: bool) -> Folds:
    if has_splits:
        raise UserError(f"--folds {text}: {data} gives splits and no folds: leave --folds out, or name a fold a clip")
    if not text.strip().isdecimal():
        raise UserError(
            f"--folds {text}: {data} names no folds: give a number (--folds 5 makes five of its groups), or add a "
            "column fold to its CSV"
        )
    count = int(text)
    if count < 2:
        raise UserError(f"--folds {text} needs two folds or more: give a number of at least 2")
    return Folds(tuple(str(number + 1) for number in range(count)), make=count)


def choose_seeds(text: str | None, first: int) -> list[int]:
    """``--seeds``: a number of seeds, counted from the run's own, or seeds by number (``3,4``).

    Raises:
        UserError: none, too many, one twice, or no numbers.
    """
    if text is None:
        return [first]
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise UserError(f"--seeds {text!r}: give how many seeds (--seeds 3), or the seeds (--seeds 3,4)")
    numbers = [int(part) for part in parts]
    if len(numbers) > 1:
        if len(set(numbers)) < len(numbers):
            raise UserError(f"--seeds {text} names a seed twice")
        return numbers
    if not 1 <= numbers[0] <= MOST_SEEDS:
        raise UserError(
            f"--seeds {text} is a number of seeds: give 1 to {MOST_SEEDS} (one seed by its number is --seed {text})"
        )
    return [first + number for number in range(numbers[0])]


def crossval_request(
    preset: str, patch: Mapping[str, Any], architectures: Sequence[str], folds: Folds, seeds: str | None
) -> Experiment:
    """The experiment of ``earmark run compare`` over folds and seeds: one variant a network, fold and seed.

    Raises:
        UserError: as ``compare_request``; or the config names folds of its own, or a checkpoint to go on from.
    """
    own = patch.get("data", {})
    for field in ("test_folds", "validation_folds", "make_folds"):
        if folds.names and own.get(field):
            raise UserError(f"config data.{field} and --folds both name folds: leave one out")
    made = {"data": {"make_folds": folds.make}} if folds.make else {}
    experiment = compare_request(preset, merge(patch, made), architectures)
    if experiment.base.train.resume_from is not None:
        raise UserError(
            "train.resume_from is the checkpoint of one model, --folds and --seeds train several: leave it out"
        )
    chosen = choose_seeds(seeds, experiment.base.seed)
    variants = [
        Variant(
            name=".".join([network.name, *fold, f"seed-{seed}"]),
            patch=merge(network.patch, {**values, "seed": seed}),
        )
        for network in experiment.variants
        for seed in chosen
        for fold, values in _turns(folds)
    ]
    whole = Experiment(base=experiment.base, variants=tuple(variants))
    for variant in whole.variants:
        whole.variant(variant.name)
    return whole


def _turns(folds: Folds) -> list[tuple[list[str], dict[str, Any]]]:
    """What each fold is called in a variant's name, and its patch."""
    if not folds.names:
        return [([], {})]
    # Names of variants are file names; folds may be called anything.
    plain = [re.sub(r"[^a-z0-9_-]+", "-", name.lower())[:24] for name in folds.names]
    if len(set(plain)) < len(plain):
        plain = [f"{number + 1}-{name}" for number, name in enumerate(plain)]
    return [([f"fold-{short}"], {"data": {folds.part: [name]}}) for short, name in zip(plain, folds.names, strict=True)]
