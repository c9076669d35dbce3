"""Models over folds and seeds, arranged for pooling: what they scored, and who is chosen by validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.content import column
from earmark.config import Experiment
from earmark.errors import EarmarkError
from earmark.evaluation.ranking import standing
from earmark.store import Manifest, Store
from earmark.store.tables import read_table

GIVEN = ""
"""Stands for the fold where the data's own split is used."""


@dataclass(frozen=True)
class Member:
    """One model of an experiment: the network, the fold that was held out, the seed."""

    variant: str
    network: str
    fold: str
    seed: int
    moves_test: bool
    """Whether the fold is the test set; else it is the validation part, or there are no folds."""


@dataclass(frozen=True)
class ClipTable:
    """Scores of a model's test clips, by their ids: the same bytes may be a clip of two folds."""

    clips: tuple[str, ...]
    targets: tuple[tuple[int, ...], ...]
    scores_NC: NDArray[np.float32]


@dataclass(frozen=True)
class Tested:
    """All test clips in the order of their ids."""

    clips: tuple[str, ...]
    targets_NC: NDArray[np.float32]
    groups: tuple[str, ...]


def members_of(experiment: Experiment) -> list[Member]:
    """The models that an experiment asks for, in its order."""
    found = []
    for variant in experiment.variants:
        config = experiment.variant(variant.name)
        test, validation = config.data.test_folds, config.data.validation_folds
        found.append(
            Member(
                variant.name,
                config.architecture.name,
                ",".join(test or validation) or GIVEN,
                config.seed,
                moves_test=bool(test),
            )
        )
    return found


def passes_of(members: Sequence[Member]) -> list[list[Member]]:
    """A network's models in sets that score each test clip once: by seed, or each alone where the test is given."""
    cells: dict[tuple[str, int], list[Member]] = {}
    for member in sorted(members, key=lambda m: (m.seed, m.fold)):
        cells.setdefault((GIVEN if member.moves_test else member.fold, member.seed), []).append(member)
    return list(cells.values())


def read_scores(store: Store, metrics: Manifest) -> ClipTable:
    """The test scores of an evaluation."""
    import pyarrow.compute as pc

    table = read_table(metrics.files["scores-test.parquet"].read(store))
    scores_NC = pc.list_flatten(table["scores"]).to_numpy().reshape(table.num_rows, -1)
    targets = tuple(tuple(labels) for labels in column(table, "targets"))
    return ClipTable(tuple(column(table, "clip_id")), targets, scores_NC)


def unite(scores: Sequence[ClipTable], group_of: Mapping[str, str], n_labels: int) -> Tested:
    """The union of the test clips of a network's models."""
    targets = {clip: labels for each in scores for clip, labels in zip(each.clips, each.targets, strict=True)}
    clips = tuple(sorted(targets))
    targets_NC = np.zeros((len(clips), n_labels), np.float32)
    for row, clip in enumerate(clips):
        targets_NC[row, list(targets[clip])] = 1.0
    return Tested(clips, targets_NC, tuple(group_of[clip] for clip in clips))


def stack(passes: Sequence[Sequence[Member]], scores: Mapping[str, ClipTable], tested: Tested) -> NDArray[np.float32]:
    """Scores of each pass, (P, N, C), by variant.

    Raises:
        EarmarkError: a pass that does not score each test clip exactly once.
    """
    place = {clip: row for row, clip in enumerate(tested.clips)}
    stacked_PNC = np.empty((len(passes), *tested.targets_NC.shape), np.float32)
    for p, models in enumerate(passes):
        seen = [clip for model in models for clip in scores[model.variant].clips]
        if sorted(seen) != list(tested.clips):
            raise EarmarkError(
                f"the models {', '.join(m.variant for m in models)} do not score each of the {len(tested.clips)} test "
                "clips once: run them again on the same data"
            )
        for model in models:
            own = scores[model.variant]
            stacked_PNC[p, [place[clip] for clip in own.clips]] = own.scores_NC
    return stacked_PNC


def choose(members: Sequence[Member], validation: Mapping[str, Mapping[str, Any]]) -> list[Member]:
    """For each fold and seed the network with the best validation mAP (ties: accuracy, then name)."""
    cells: dict[tuple[int, str], list[Member]] = {}
    for member in members:
        cells.setdefault((member.seed, member.fold), []).append(member)
    return [
        min(models, key=lambda m: (*standing(validation[m.variant]), m.network)) for _, models in sorted(cells.items())
    ]


def choose_by_mean(members: Sequence[Member], validation: Mapping[str, Mapping[str, Any]]) -> list[Member]:
    """For each fold all models of the network with the best validation mAP, averaged over the seeds (ties as above)."""
    cells: dict[str, dict[str, list[Member]]] = {}
    for member in members:
        cells.setdefault(member.fold, {}).setdefault(member.network, []).append(member)

    def place(models: Sequence[Member]) -> tuple[float, float, str]:
        means = {name: _mean([validation[m.variant][name] for m in models]) for name in ("map", "accuracy")}
        return (*standing(means), models[0].network)

    return [member for _, networks in sorted(cells.items()) for member in min(networks.values(), key=place)]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    # Sorted, so that the order of the seeds does not decide a tie.
    return sum(sorted(known)) / len(known) if known and len(known) == len(values) else None
