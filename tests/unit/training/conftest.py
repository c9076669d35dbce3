"""A small real dataset: 36 of the example clips, through the real chain."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from earmark.catalog import Dataset, assemble_dataset, build_catalog
from earmark.config import Config, DataConfig, FeatureSpec, make_config
from earmark.features import extract_features
from earmark.progress import Progress
from earmark.store import Manifest, Store, open_store
from earmark.tracking import RunContext
from earmark.training.checkpoint import Checkpoints
from earmark.training.loop import Trainer
from earmark.training.origin import origin

QUIET = Progress("test", mode="off")


@dataclass(frozen=True)
class Material:
    """A store with a dataset in it."""

    store: Store
    dataset: Manifest
    patches: Manifest

    def open(self) -> Dataset:
        return Dataset.open(self.store, self.dataset, self.patches)

    def copied(self, folder: Path) -> "Material":
        """The same material in a store of its own."""
        shutil.copytree(self.store.uri, folder, dirs_exist_ok=True)
        return Material(open_store(folder), self.dataset, self.patches)


@pytest.fixture(scope="session")
def tiny_config() -> Callable[..., Config]:
    """Makes configs."""
    return _tiny_config


def _tiny_config(**patch) -> Config:
    """Preset quick, so small that a step takes a few milliseconds; fp32, whatever the machine is good at."""
    train = {"steps": 30, "batch_size": 16, "precision": "fp32", "validate_every_share": 0.5, **patch.pop("train", {})}
    return make_config("quick", {"train": train, "evaluate": {"hop_seconds": 0.96}, **patch})


@pytest.fixture(scope="session")
def shared_material(tmp_path_factory, three_labels) -> Material:
    store, config = open_store(tmp_path_factory.mktemp("store")), DataConfig(validation_share=0.25)
    catalog = build_catalog(store, str(three_labels), config, QUIET)
    patches = extract_features(store, catalog, FeatureSpec(), config, QUIET)
    return Material(store, assemble_dataset(store, catalog, patches, config, QUIET), patches)


@pytest.fixture
def material(shared_material, tmp_path) -> Material:
    return shared_material.copied(tmp_path / "store")


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def context(mlflow_database, tmp_path, monkeypatch) -> RunContext:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_database)
    return RunContext(run=tmp_path.name, pipeline="test")


@pytest.fixture
def new_trainer(material):
    """Makes trainers on one dataset and one place for checkpoints; what they tell is in ``logged`` and ``notes``."""
    logged, notes = [], []

    class Noting(Progress):
        def note(self, message):
            notes.append(message)

    def make(config, folder="results/train_model/k", kind=Trainer, resume_from=None):
        told = origin(config, material.dataset.digest)
        checkpoints = Checkpoints(
            material.store, folder, config.train.keep_checkpoints, notes.append, told, resume_from
        )
        return kind(material.open(), config, checkpoints, Noting("t", mode="off"), lambda *row: logged.append(row))

    make.logged, make.notes = logged, notes
    return make
