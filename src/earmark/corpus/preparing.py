"""A data set made ready as a run makes it, and all that would stop a run, not the first thing alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from earmark.catalog import Dataset, assemble_dataset, build_catalog
from earmark.config import Config, DataConfig
from earmark.errors import UserError
from earmark.features import extract_features
from earmark.progress import Progress
from earmark.store import Manifest, Store


@dataclass(frozen=True)
class Prepared:
    """The results that a run makes first, in the store where a run would keep them.

    Attributes:
        store: where they are.
        catalog, patches, dataset: results of the steps.
        split: whether the dataset has the splits of a run; without, it has no more than clips and findings.
    """

    store: Store
    catalog: Manifest
    patches: Manifest
    dataset: Manifest
    split: bool = True

    def open(self) -> Dataset:
        """The dataset."""
        return Dataset.open(self.store, self.dataset, self.patches)


def prepare(store: Store, data: str, config: Config, progress: Callable[[str], Progress]) -> Prepared:
    """Catalog, decode and assemble a data set as a run does: a run with the same config finds all of it.

    Args:
        store: where results go.
        data: folder, or list of clips.
        config: ``data`` and ``features``.
        progress: of a step, by its name.

    Raises:
        UserError: as the steps.
    """
    prepared, refused = inspect(store, data, config, progress, first_only=True)
    if prepared is None or refused:
        raise refused[0]
    return prepared


def inspect(
    store: Store, data: str, config: Config, progress: Callable[[str], Progress], first_only: bool = False
) -> tuple[Prepared | None, list[UserError]]:
    """The same as :func:`prepare`, but an error is told and not raised, and the next step is tried with less asked.

    Returns:
        What could be made, None if not even a catalog, and each error that would end a run.
    """
    refused: list[UserError] = []
    # What only training needs is left out by these, each asking less: then there is more to tell.
    lenient = config.data.model_copy(update={"max_rejected_share": 1.0})
    nothing = {"all_test": True, "test_folds": (), "validation_folds": (), "make_folds": None, "balanced_test": None}
    scored = lenient.model_copy(update=nothing)

    def made(
        name: str, step: Callable[[DataConfig, Progress], Manifest], configs: Sequence[DataConfig]
    ) -> tuple[Manifest | None, bool]:
        for settings in configs[: 1 if first_only else None]:
            try:
                # What another try would say (which clips are test) is not so of a run.
                told = progress(name) if settings is config.data else Progress(name, "off")
                return step(settings, told), settings is not scored
            except UserError as error:
                if str(error) not in map(str, refused):
                    refused.append(error)
        return None, False

    catalog, _ = made(
        "build_catalog",
        lambda settings, told: build_catalog(store, data, settings, told),
        (config.data, scored),
    )
    if catalog is None:
        return None, refused
    patches = extract_features(store, catalog, config.features, config.data, progress("extract_features"))
    dataset, split = made(
        "assemble_dataset",
        lambda settings, told: assemble_dataset(store, catalog, patches, settings, told),
        (config.data, lenient, scored),
    )
    return (None if dataset is None else Prepared(store, catalog, patches, dataset, split)), refused
