"""A pipeline run as its steps leave it in the store: sounds of noise, networks that were never trained, real files."""

import csv
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import torch
from safetensors.torch import save

from earmark.architectures import create
from earmark.catalog import assemble_dataset, build_catalog
from earmark.config import make_config, result_key
from earmark.features import extract_features
from earmark.progress import Progress
from earmark.store import Manifest, once
from earmark.tracking import RunContext

SCORES = {"fully_connected": (0.61, 0.9, 1.812, 0.725), "alexnet": (0.5, 0.8, 1.19, 0.6)}
STEPS = (10, 20, 30)
LABELS = ("dog", "rain", "siren")
SPLITS = ("train", "validation", "test")
PROGRESS = Progress("made_run", mode="off")


@dataclass
class MadeRun:
    comparison: Manifest
    checkpoints: list[Manifest]
    metrics: list[Manifest]
    catalog: Manifest
    patches: Manifest
    dataset: Manifest
    context: RunContext

    @property
    def arguments(self):
        return self.comparison, self.checkpoints, self.metrics, self.catalog, self.patches, self.dataset


def make_run(store, run="compare-1", failed=(), seed=0):
    """Two networks trained, scored and compared; those named in ``failed`` failed at evaluation."""
    catalog, patches, dataset = make_dataset(store)
    checkpoints = [_trained(store, name, seed, dataset) for name in SCORES]
    metrics = [
        Manifest.failure("evaluate_model", c.facts["variant"], "the disk is full")
        if c.facts["variant"] in failed
        else _scored(store, c)
        for c in checkpoints
    ]
    compared = _compared(store, run, metrics, failed, dataset)
    return MadeRun(compared, checkpoints, metrics, catalog, patches, dataset, RunContext(run, "compare"))


def make_dataset(store):
    """Catalog, patches and dataset of ten clips of a second: one of each label in each split, and a silent one."""
    data, config = (
        make_clips(Path(store.uri).parent / "clips"),
        make_config("quick", {"data": {"max_rejected_share": 0.2}}),
    )
    catalog = build_catalog(store, str(data), config.data, PROGRESS)
    patches = extract_features(store, catalog, config.features, config.data, PROGRESS)
    return catalog, patches, assemble_dataset(store, catalog, patches, config.data, PROGRESS)


def make_clips(folder):
    """The clips and their CSV in a folder."""
    if (folder / "clips.csv").exists():
        return folder
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    rows = [{"file": f"{label}-{split}.wav", "label": label, "split": split} for label in LABELS for split in SPLITS]
    for row in rows:
        soundfile.write(folder / row["file"], random.normal(0, 0.1, 16_000).clip(-1, 1), 16_000, subtype="PCM_16")
    soundfile.write(folder / "silent.wav", np.zeros(16_000), 16_000)
    rows.append({"file": "silent.wav", "label": "dog", "split": "train"})
    with (folder / "clips.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@cache
def make_weights(name, width, labels, seed):
    """A network's fresh weights as safetensors."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return save(create(name, labels, width).state_dict())


def _trained(store, name, seed, dataset):
    # as narrow as it gets, so that what is done with it takes no time
    config = make_config("quick", {"architecture": {"name": name, "width": 0.02}, "train": {"steps": 30}, "seed": seed})
    document = {
        "schema_version": 1,
        "architecture": config.architecture.model_dump(),
        "labels": list(LABELS),
        "features": config.features.model_dump(),
        "evaluate": config.evaluate.model_dump(),
        "output": "sigmoid",
        "dataset": dataset.digest,
        "config": config.model_dump(),
        "version": "0.1.0",
    }
    curves = {
        "schema_version": 1,
        "train": [{"step": s, "loss": 1 / s, "learning_rate": 1e-3} for s in STEPS],
        "validation": [{"step": s, "map": s / 100, "auc": 0.9, "accuracy": None} for s in STEPS],
    }

    def work(attempt):
        attempt.put("weights.safetensors", make_weights(name, 0.02, len(LABELS), seed))
        attempt.put_json("model.json", document)
        attempt.put_json("curves.json", curves)
        attempt.facts = {"variant": name, "name": name, "steps": 30, "seconds": 12.5, "weights": 24, "multiplies": 48}
        attempt.facts |= {"precision": "fp32", "validation": curves["validation"][-1]}

    return once(store, "train_model", result_key("train_model", 1, [name], seed=seed), work)


def _scored(store, checkpoint):
    name = checkpoint.facts["variant"]
    test = dict(zip(("map", "auc", "d_prime", "accuracy"), SCORES[name], strict=True))
    intervals = {
        f"{score}_{end}": value + by for score, value in test.items() for end, by in (("low", -0.1), ("high", 0.1))
    }

    def work(attempt):
        attempt.put_json("metrics.json", {})
        attempt.facts = {
            "variant": name,
            "name": name,
            "digest": "t" * 32,
            "test": test | intervals,
            "validation": test,
        }

    return once(store, "evaluate_model", checkpoint.key, work)


def _compared(store, run, metrics, failed, dataset):
    scored = [m for m in metrics if m.failed is None]
    networks = [{"name": m.facts["variant"], "steps": 30, "seconds": 12.5, **m.facts["test"]} for m in scored]

    def work(attempt):
        attempt.put("report.html", f"<title>{run}</title>".encode())
        attempt.facts = {
            "run": run,
            "evaluated_clips": 3,
            "digest": "t" * 32,
            "dataset": {
                "digest": dataset.digest,
                "data": dataset.facts["data"],
                "clips": dataset.facts["clips"],
            },
            "networks": networks,
            "champion": None if failed else networks[0]["name"],
            "failures": [{"variant": name, "cause": "the disk is full"} for name in failed],
        }

    listed = "".join(m.key for m in scored)
    return once(store, "compare_models", hashlib.sha256(f"{run}{listed}".encode()).hexdigest()[:32], work)
