"""The clips that may judge two models: test clips that neither learned from, scored by both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earmark.catalog import Clip, Dataset
from earmark.catalog.content import column
from earmark.config import Config, digest
from earmark.features import FrameStore, extract_features
from earmark.progress import Progress
from earmark.registry.pack import Sounds
from earmark.registry.package import Package
from earmark.store import Store
from earmark.store.tables import read_table

if TYPE_CHECKING:
    from earmark.evaluation import Model

LEARNED_FROM = ("train", "validation")


@dataclass(frozen=True)
class Holdout:
    """Clips, with what they are judged by."""

    clips: list[Clip]
    groups: list[str]
    labels: list[str]
    """Those that both models know, in the dataset's order."""
    targets_NC: NDArray[np.float32]
    seen: int
    """Test clips that are left out since one of the models learned from them or their group."""

    @property
    def digest(self) -> str:
        """Of clips and labels."""
        return digest([[clip.clip_key for clip in self.clips], self.targets_NC.astype(int).tolist(), self.labels])


def find_holdout(store: Store, sounds: Sounds, packages: Sequence[Package]) -> Holdout:
    """The test clips of a dataset that no package was trained or validated on, by their sound and by their group.

    Raises:
        UserError: a package is too old to tell its clips.
    """
    keys: set[str] = set()
    groups: set[str] = set()
    for package in packages:
        known = package.clips()
        for key, group, split in zip(*(column(known, name) for name in ("clip_key", "group", "split")), strict=True):
            if split in LEARNED_FROM:
                keys.add(key)
                groups.add(group)
    opened = Dataset.open(store, sounds.dataset, sounds.patches)
    table = read_table(sounds.dataset.files["dataset.parquet"].read(store))
    group_of = dict(zip(column(table, "clip_id"), column(table, "group"), strict=True))
    clips, targets_NC = opened.clips("test"), opened.targets("test")
    kept = [n for n, clip in enumerate(clips) if clip.clip_key not in keys and group_of[clip.clip_id] not in groups]
    labels = [label for label in opened.labels if all(label in package.document["labels"] for package in packages)]
    at = [opened.labels.index(label) for label in labels]
    return Holdout(
        [clips[n] for n in kept],
        [group_of[clips[n].clip_id] for n in kept],
        labels,
        targets_NC[kept][:, at],
        len(clips) - len(kept),
    )


class Frames:
    """Frames of a catalog's clips as a model wants them: those that are there, or made with the model's own spec."""

    def __init__(self, store: Store, sounds: Sounds, model: Model, config: Config, progress: Progress) -> None:
        patches = sounds.patches
        if patches.facts["spec"] != model.features.model_dump():
            progress.note(f"features for {model.features.model_dump_json()}")
            patches = extract_features(store, sounds.catalog, model.features, config.data, progress)
        self._frames = FrameStore.open(store, patches)
        index = read_table(patches.files["index.parquet"].read(store))
        columns = (column(index, name) for name in ("clip_key", "shard", "first_row", "rows"))
        self._place = {key: place for key, *place in zip(*columns, strict=True)}

    def has(self, clip: Clip) -> bool:
        """Whether the clip is long enough for this spec."""
        return clip.clip_key in self._place

    def score(self, model: Model, clips: Sequence[Clip], labels: Sequence[str]) -> NDArray[np.float32]:
        """The model's scores of clips for some of its labels, (N, C)."""
        from earmark.evaluation import score_clip

        at = [model.labels.index(label) for label in labels]
        scores_NC = np.empty((len(clips), len(labels)), np.float32)
        for n, clip in enumerate(clips):
            scores_NC[n] = score_clip(model, self._frames.clip(*self._place[clip.clip_key])).scores_C[at]
        return scores_NC
