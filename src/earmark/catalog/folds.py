"""What a data set says of itself, read before anything runs: only its listing and its CSVs are looked at."""

from __future__ import annotations

from dataclasses import dataclass

from earmark.catalog.adapters import read_claims
from earmark.catalog.root import open_root
from earmark.catalog.splits import natural
from earmark.config import DataConfig


@dataclass(frozen=True)
class NamedFolds:
    """What a data set says of folds and splits.

    Attributes:
        names: folds that may take turns, in the order people count; empty where the data names none.
        has_test: whether the data says which clips are test; then the folds of all other clips are ``names``.
        has_splits: whether it gives splits at all.
    """

    names: tuple[str, ...]
    has_test: bool
    has_splits: bool


def read_folds(data: str, config: DataConfig) -> NamedFolds:
    """The folds of the data set at a folder or CSV, in the form that the config names.

    Raises:
        UserError: no data there, or a CSV that says what cannot be.
    """
    claims = read_claims(open_root(data), config)
    has_test = "test" in claims.splits
    pairs = zip(claims.folds, claims.splits, strict=True)
    names = {fold for fold, split in pairs if fold is not None and split != "test"}
    return NamedFolds(tuple(natural(names)), has_test, any(split is not None for split in claims.splits))


@dataclass(frozen=True)
class Extent:
    """How much there is to learn from.

    Attributes:
        labels: how many labels clips claim.
        train_clips: about how many clips are trained on.
    """

    labels: int
    train_clips: int


def read_extent(data: str, config: DataConfig) -> Extent:
    """Labels and training clips of the data set at a folder or CSV, as far as its listing tells.

    Raises:
        UserError: no data there, or a CSV that says what cannot be.
    """
    claims = read_claims(open_root(data), config)
    names = dict(claims.declared or ())
    labels = {names.get(label, label) for found in claims.labels for label in found}
    clips = float(len(claims.labels))
    if any(split is not None for split in claims.splits):
        clips = float(claims.splits.count("train"))
        held_out = 0.0 if "validation" in claims.splits else config.validation_share
    elif any(fold is not None for fold in claims.folds):
        folds = len(set(claims.folds))
        clips *= 1 - (max(1, len(config.test_folds)) + len(config.validation_folds)) / folds
        held_out = 0.0 if config.validation_folds else config.validation_share
    else:
        clips *= 1 - config.test_share
        held_out = config.validation_share
    return Extent(len(labels), round(clips * (1 - held_out)))
