"""A pipeline run as its steps leave it in the store: small, but with real files, for what only hands them on."""

import hashlib
from dataclasses import dataclass

import numpy as np
from safetensors.numpy import save

from earmark.config import make_config, result_key
from earmark.store import Manifest, once
from earmark.tracking import RunContext

SCORES = {"resnet50": (0.61, 0.9, 1.812, 0.725), "alexnet": (0.5, 0.8, 1.19, 0.6)}
STEPS = (10, 20, 30)


@dataclass
class MadeRun:
    comparison: Manifest
    checkpoints: list[Manifest]
    metrics: list[Manifest]
    context: RunContext

    @property
    def arguments(self):
        return self.comparison, self.checkpoints, self.metrics


def make_run(store, run="compare-1", failed=(), seed=0):
    """Two networks trained, scored and compared; those named in ``failed`` failed at evaluation."""
    checkpoints = [_trained(store, name, seed) for name in SCORES]
    metrics = [
        Manifest.failure("evaluate_model", c.facts["variant"], "the disk is full")
        if c.facts["variant"] in failed
        else _scored(store, c)
        for c in checkpoints
    ]
    return MadeRun(_compared(store, run, metrics, failed), checkpoints, metrics, RunContext(run, "compare"))


def _trained(store, name, seed):
    config = make_config("quick", {"architecture": {"name": name, "width": 0.25}, "train": {"steps": 30}, "seed": seed})
    weights = {"output.weight": np.random.default_rng(seed).normal(size=(3, 8)).astype(np.float32)}
    document = {
        "architecture": config.architecture.model_dump(),
        "labels": ["dog", "rain", "siren"],
        "features": config.features.model_dump(),
        "dataset": "d" * 32,
        "config": config.model_dump(),
        "version": "0.1.0",
    }
    curves = {
        "schema_version": 1,
        "train": [{"step": s, "loss": 1 / s, "learning_rate": 1e-3} for s in STEPS],
        "validation": [{"step": s, "map": s / 100, "auc": 0.9, "accuracy": None} for s in STEPS],
    }

    def work(attempt):
        attempt.put("weights.safetensors", save(weights))
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


def _compared(store, run, metrics, failed):
    scored = [m for m in metrics if m.failed is None]
    networks = [{"name": m.facts["variant"], "steps": 30, "seconds": 12.5, **m.facts["test"]} for m in scored]

    def work(attempt):
        attempt.put("report.html", f"<title>{run}</title>".encode())
        attempt.facts = {
            "run": run,
            "evaluated_clips": 40,
            "digest": "t" * 32,
            "dataset": {
                "digest": "d" * 32,
                "data": "/clips",
                "clips": {"train": 60, "validation": 20, "test": 40},
            },
            "networks": networks,
            "champion": None if failed else networks[0]["name"],
            "failures": [{"variant": name, "cause": "the disk is full"} for name in failed],
        }

    listed = "".join(m.key for m in scored)
    return once(store, "compare_models", hashlib.sha256(f"{run}{listed}".encode()).hexdigest()[:32], work)
