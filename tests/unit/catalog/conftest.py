"""Small data sets of synthesised clips, and the steps that turn them into a dataset."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from earmark.catalog import Dataset, assemble_dataset, build_catalog
from earmark.config import DataConfig, FeatureSpec
from earmark.features import extract_features
from earmark.progress import Progress
from earmark.store import open_store
from earmark.store.tables import read_table

RATE = 16_000


@pytest.fixture
def noise():
    """A different second (or more) of noise for every seed."""

    def make(seed, seconds=1.0, level=0.1):
        return (level * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).clip(-0.9, 0.9)

    return make


@pytest.fixture
def write(tmp_path):
    """Write samples as an audio file, or text, below the data folder; returns the data folder."""
    root = tmp_path / "data"

    def make(name, content, subtype=None):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content)
        else:
            soundfile.write(path, content, RATE, subtype=subtype)
        return root

    return make


@pytest.fixture
def two_labels(write, noise):
    """Eight clips of ``cat`` and of ``dog``, a folder a label."""
    for seed in range(8):
        write(f"cat/{seed}.wav", noise(seed))
        root = write(f"dog/{seed}.wav", noise(100 + seed))
    return root


@pytest.fixture
def steps(tmp_path):
    """The three steps on a data folder, in one store."""
    store = open_store(tmp_path / "store")

    def run(data, tail="pad", **config):
        settings = DataConfig(**{"max_rejected_share": 1.0, **config})
        quiet = Progress("test", mode="off")
        catalog = build_catalog(store, str(data), settings, quiet)
        patches = extract_features(store, catalog, FeatureSpec(tail=tail), settings, quiet)
        dataset = assemble_dataset(store, catalog, patches, settings, quiet)
        rows = read_table(dataset.files["findings.parquet"].read(store)).to_pylist()
        table = read_table(dataset.files["dataset.parquet"].read(store)).to_pylist()
        return SimpleNamespace(
            store=store,
            catalog=catalog,
            patches=patches,
            manifest=dataset,
            dataset=Dataset.open(store, dataset, patches),
            findings={row["clip_id"]: (row["finding"], row["action"]) for row in rows},
            details={row["clip_id"]: row["detail"] for row in rows},
            splits={row["clip_id"]: row["split"] for row in table},
            groups={row["clip_id"]: row["group"] for row in table},
        )

    return run
