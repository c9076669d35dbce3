"""A dataset of real clips, networks with fresh weights in place of trained ones, and made-up reports."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save

from earmark.architectures import count, create
from earmark.catalog import Dataset, assemble_dataset, build_catalog
from earmark.config import compare_experiment, digest, make_config
from earmark.evaluation import compare_models, evaluate_model
from earmark.evaluation.report import ClassScore, Estimate, Mistake, Network, Report, Sound, Timeline
from earmark.evaluation.report.media import log_mel_png, mp3
from earmark.features import extract_features
from earmark.progress import Progress
from earmark.store import once, open_store

PATCH = {
    "train": {"steps": 4},
    "architecture": {"width": 0.05},
    "evaluate": {"bootstrap_resamples": 100},
    "data": {"validation_share": 0.3},
}
QUIET = Progress("test", mode="off")


@pytest.fixture(scope="session")
def experiment():
    return compare_experiment(make_config("quick", PATCH), ("fully_connected", "alexnet"))


@pytest.fixture(scope="session")
def chain(three_labels, tmp_path_factory, experiment):
    """Catalog, patches and dataset of 36 real clips."""
    store, config = open_store(tmp_path_factory.mktemp("store")), experiment.base
    catalog = build_catalog(store, str(three_labels), config.data, QUIET)
    patches = extract_features(store, catalog, config.features, config.data, QUIET)
    dataset = assemble_dataset(store, catalog, patches, config.data, QUIET)
    opened = Dataset.open(store, dataset, patches)
    return SimpleNamespace(store=store, catalog=catalog, patches=patches, dataset=dataset, opened=opened)


def checkpoint_of(chain, config, variant, seed=0):
    """What train_model hands on, with a network that has learned nothing."""
    architecture = config.architecture
    labels = chain.dataset.facts["labels"]

    def work(attempt):
        torch.manual_seed(seed)
        network = create(architecture.name, len(labels), architecture.width, dropout=architecture.dropout)
        torch.nn.init.normal_(network.output.weight, std=0.3)
        attempt.put("weights.safetensors", save(network.state_dict()))
        document = {
            "schema_version": 1,
            "architecture": architecture.model_dump(),
            "labels": labels,
            "output": "sigmoid",
            "features": config.features.model_dump(),
            "evaluate": config.evaluate.model_dump(),
        }
        attempt.put_json("model.json", document)
        curves = {
            "train": [{"step": s, "loss": 1 / s, "learning_rate": 1e-3, "patches_per_s": 9.0} for s in range(1, 5)],
            "validation": [{"step": s, "accuracy": 0.5, "map": 0.1 * s, "auc": 0.6} for s in (2, 4)],
        }
        attempt.put_json("curves.json", curves)
        counts = count(network)
        attempt.facts = {
            "variant": variant,
            "name": architecture.name,
            "steps": 4,
            "seconds": 7.5,
            "weights": counts.weights,
            "multiplies": counts.multiplies,
            "precision": "fp32",
            "device": "cpu",
            "patches_seen": 64,
            "patches_per_s": 9.0,
            "restarts": 0,
        }

    return once(chain.store, "train_model", digest([variant, seed, config.model_dump()]), work)


@pytest.fixture(scope="session")
def checkpoints(chain, experiment):
    return {v.name: checkpoint_of(chain, experiment.variant(v.name), v.name) for v in experiment.variants}


@pytest.fixture(scope="session")
def metrics(chain, experiment, checkpoints):
    return {
        name: evaluate_model(chain.store, checkpoint, chain.dataset, chain.patches, experiment.variant(name), QUIET)
        for name, checkpoint in checkpoints.items()
    }


@pytest.fixture(scope="session")
def compare(chain, experiment, checkpoints, metrics):
    """compare_models with what is given in place of what the chain has."""

    def call(found=None, failures=(), wanted=experiment, trained=None):
        found = list(metrics.values()) if found is None else found
        trained = list(checkpoints.values()) if trained is None else trained
        inputs = (chain.catalog, chain.patches, chain.dataset)
        return compare_models(chain.store, found, trained, *inputs, failures, wanted, "run-1", QUIET)

    return call


@pytest.fixture(scope="session")
def document(chain):
    """A JSON file of a result."""
    return lambda manifest, name: json.loads(manifest.files[name].read(chain.store))


def estimate(value, reach=0.05):
    return Estimate(value, value - reach, min(1.0, value + reach))


def a_network(place, labels, single_label=True, **more):
    """A network of a made-up comparison: the further back its place, the worse."""
    names = ["resnet50", "inception_v3", "vgg", "alexnet", "fully_connected"]
    name = names[place % 5]
    level = 0.9 - 0.05 * place
    scores = {"auc": estimate(level), "d_prime": Estimate(2.0 - 0.1 * place), "map": estimate(level)}
    scores["accuracy"] = estimate(level) if single_label else Estimate(None)
    spread = np.linspace(0.3, 1.0, len(labels))
    classes = [
        ClassScore(
            label, 8, 0.5 / (1 + i), estimate(v), estimate(v), Estimate(math.inf if v == 1 else 2 * v), estimate(v)
        )
        for i, (label, v) in enumerate(zip(labels, spread.tolist(), strict=True))
    ]
    confusion = (np.eye(len(labels), dtype=int) * 7 + np.roll(np.eye(len(labels), dtype=int), 1, axis=1)).tolist()
    values = {
        "variant": name if place < 5 else f"{name}-{place}",
        "architecture": name,
        "steps": 300,
        "seconds": 60.0 * (1 + place),
        "weights": 2_500_000 * (1 + place),
        "multiplies": 31_000_000 * (1 + place),
        "test": scores,
        "validation": scores,
        "classes": classes,
        "confusion": confusion if single_label else None,
        "train_curve": [(s, 1 / (s + 1)) for s in range(300)],
        "validation_curves": {"map": [(s, s / 400) for s in range(30, 301, 30)], "accuracy": []},
        "facts": {"Device": "cpu"},
    }
    return Network(**{**values, **more})


@pytest.fixture(scope="session")
def make_report():
    """A report of made-up numbers over as many networks and labels as wanted."""

    def make(n_networks=2, labels=("dog", "rain", "saw"), single_label=True, **more):
        networks = [a_network(i, labels, single_label) for i in range(n_networks)]
        values = {
            "run": "run-1",
            "source": "/data/clips",
            "labels": list(labels),
            "single_label": single_label,
            "clips": {"train": 100, "validation": 20, "test": 80},
            "chance": {"accuracy": 0.1, "map": 0.1},
            "networks": networks,
            "test_order": [n.variant for n in networks],
        }
        return Report(**{**values, **more})

    return make


@pytest.fixture(scope="session")
def sound():
    """One second of a tone, as a picture and as MP3."""
    samples_N = np.sin(np.arange(16_000) * 0.2).astype(np.float32)
    shades_TF = np.arange(98 * 64, dtype=np.uint8).reshape(98, 64)
    return Sound("a.wav", 0.0, 0.98, log_mel_png(shades_TF), mp3(samples_N))


@pytest.fixture(scope="session")
def a_timeline(sound):
    return Timeline(sound, ["dog"], [0.48, 0.5], {"dog": [0.9, 0.8], "rain": [0.1, 0.2]})


@pytest.fixture(scope="session")
def a_mistake(sound):
    return Mistake(sound, ["dog"], "rain", 0.8, 0.3)
