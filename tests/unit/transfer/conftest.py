"""A dataset of real clips, and a network of random weights whose embeddings heads are fitted on."""

from types import SimpleNamespace

import pytest
import torch
from mlflow_database import migrated, mlflow_db  # noqa: F401
from safetensors.torch import save

from earmark.architectures import create
from earmark.catalog import Dataset, assemble_dataset, build_catalog
from earmark.config import HeadConfig, make_config
from earmark.features import extract_features
from earmark.progress import Progress
from earmark.store import open_store
from earmark.tracking import RunContext
from earmark.transfer import Source, embed_dataset, train_head

QUIET = Progress("test", mode="off")
RUN = RunContext("transfer-1", "transfer")
PATCH = {
    "train": {"steps": 60, "batch_size": 32, "validate_every_share": 0.5},
    "architecture": {"name": "resnet50", "width": 0.05, "dropout": 0.1},
    "evaluate": {"bootstrap_resamples": 100, "hop_seconds": 0.96},
    "data": {"validation_share": 0.3},
}
LABELS = ["other", "labels"]


def config_of(kind, **head):
    return make_config("quick", {**PATCH, "architecture": {**PATCH["architecture"], "head": {"kind": kind, **head}}})


def source_of(config, seed=0, bottleneck=None):
    """A network as its package holds it, for labels that are not the dataset's."""
    architecture = config.architecture.model_copy(update={"bottleneck": bottleneck, "head": HeadConfig()})
    torch.manual_seed(seed)
    network = create(architecture.name, len(LABELS), architecture.width, bottleneck)
    document = {
        "schema_version": 1,
        "architecture": architecture.model_dump(),
        "labels": LABELS,
        "output": "sigmoid",
        "features": config.features.model_dump(),
        "evaluate": config.evaluate.model_dump(),
    }
    return Source("model/1", save(network.state_dict()), document, None)


@pytest.fixture(scope="session")
def chain(three_labels, tmp_path_factory):
    """Catalog, patches, dataset and embeddings of 36 real clips."""
    store, config = open_store(tmp_path_factory.mktemp("store")), config_of("linear")
    catalog = build_catalog(store, str(three_labels), config.data, QUIET)
    patches = extract_features(store, catalog, config.features, config.data, QUIET)
    dataset = assemble_dataset(store, catalog, patches, config.data, QUIET)
    source = source_of(config, bottleneck=16)
    embedded = embed_dataset(store, dataset, patches, source, config.evaluate, QUIET)
    opened = Dataset.open(store, dataset, patches)
    return SimpleNamespace(
        store=store, catalog=catalog, patches=patches, dataset=dataset, source=source, embedded=embedded, opened=opened
    )


@pytest.fixture
def fit(chain, mlflow_db, monkeypatch):  # noqa: F811
    """Fits a head of a config."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_db)

    def make(config, source=chain.source, variant="head", progress=QUIET):
        return train_head(chain.store, chain.dataset, chain.embedded, source, variant, config, RUN, progress)

    return make
