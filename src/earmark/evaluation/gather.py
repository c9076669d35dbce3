"""What the report tells, gathered from the results of the steps before."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from earmark.config import Experiment
from earmark.evaluation.clips import Clips, mistakes_of, timelines_of
from earmark.evaluation.ranking import by_test
from earmark.evaluation.repeat import command
from earmark.evaluation.report import ClassScore, Estimate, Failure, Finding, Network, Report, Trust
from earmark.evaluation.studies import study_of
from earmark.store import Manifest, Store
from earmark.store.tables import read_table

PACKAGES = ("torch", "numpy", "soundfile", "soxr", "kfp", "mlflow")


def gather_report(
    store: Store,
    metrics: Sequence[Manifest],
    trained: Mapping[str, Manifest],
    catalog: Manifest,
    dataset: Manifest,
    failures: Sequence[Mapping[str, str]],
    experiment: Experiment,
    run: str,
) -> Report:
    """The report of ranked evaluations.

    Args:
        store: of the results.
        metrics: evaluations, the champion's first.
        trained: checkpoints by variant.
        catalog: where the clips are.
        dataset: the dataset.
        failures: variant and cause.
        experiment: what was asked for.
        run: the run's id.
    """
    documents = [json.loads(m.files["metrics.json"].read(store)) for m in metrics]
    shown = dict(zip(dataset.facts["labels"], readable(dataset.facts["labels"]), strict=True))
    # Networks may have learned fewer labels than the dataset has, and be scored on fewer still.
    learned = [shown[label] for label in documents[0]["labels"]] if documents else list(shown.values())
    networks = [
        _network(store, document, m, trained[m.facts["variant"]], shown)
        for document, m in zip(documents, metrics, strict=True)
    ]
    single_label = dataset.facts["single_label"]
    classes = networks[0].classes if networks else []
    clips = Clips(catalog.facts["data"], store, dataset, experiment.base.features.resampler)
    return Report(
        run=run,
        source=catalog.facts["data"],
        labels=[c.label for c in classes] or list(shown.values()),
        single_label=single_label,
        clips={**dataset.facts["clips"], **(metrics[0].facts["clips"] if metrics else {})},
        chance=chance(classes),
        networks=networks,
        test_order=by_test(metrics),
        failures=[Failure(f["variant"], f["cause"]) for f in failures],
        findings=findings_of(store, dataset),
        timelines=timelines_of(store, metrics[0], clips, learned) if metrics else (),
        mistakes=mistakes_of(store, metrics[0], clips, learned) if metrics else (),
        trust=trust_of(store, metrics[0], documents[0]["calibration"], learned) if metrics else None,
        study=study_of(experiment, networks, trained),
        confidence=documents[0]["confidence"] if documents else experiment.base.evaluate.confidence,
        command=command(catalog.facts["data"], experiment),
        config=experiment.model_dump(),
        facts=_facts(metrics, dataset, experiment, run),
    )


def readable(labels: Sequence[str]) -> list[str]:
    """Labels with spaces for underscores, where they stay apart."""
    spaced = [label.replace("_", " ").strip() or label for label in labels]
    return spaced if len(set(spaced)) == len(labels) else list(labels)


def class_scores(labels: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[ClassScore]:
    """The rows of a table of labels."""
    names = ("ap", "auc", "d_prime", "recall")
    return [
        ClassScore(label, row["positives"], row["prior"], **{name: estimate(row, name) for name in names})
        for label, row in zip(labels, rows, strict=True)
    ]


def estimate(row: Mapping[str, Any], name: str) -> Estimate:
    """A score of a table's row; d-prime is infinite where AUC is 1 (JSON has no infinity)."""
    if name != "d_prime":
        return Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"])
    return Estimate(*(_d_prime(row[f"d_prime{end}"], row[f"auc{end}"]) for end in ("", "_low", "_high")))


def _d_prime(d_prime: float | None, auc: float | None) -> float | None:
    if d_prime is None and auc in (0.0, 1.0):
        return math.inf if auc else -math.inf
    return d_prime


def _network(
    store: Store, document: Mapping[str, Any], metrics: Manifest, checkpoint: Manifest, shown: Mapping[str, str]
) -> Network:
    curves = json.loads(checkpoint.files["curves.json"].read(store))
    summary = ("auc", "d_prime", "map", "accuracy")
    facts = checkpoint.facts
    confusion, rows = document["confusion"], document["test"]["classes"]
    return Network(
        variant=metrics.facts["variant"],
        architecture=metrics.facts["name"],
        steps=facts["steps"],
        seconds=facts["seconds"],
        weights=facts["weights"],
        multiplies=facts["multiplies"],
        gpu_seconds=facts.get("gpu_seconds"),
        cost=facts.get("cost"),
        test={name: estimate(document["test"]["summary"], name) for name in summary},
        validation={name: estimate(document["validation"]["summary"], name) for name in summary},
        classes=class_scores([shown[row["label"]] for row in rows], rows),
        confusion=confusion["counts"] if confusion else None,
        train_curve=[(point["step"], point["loss"]) for point in curves["train"]],
        validation_curves={
            name: [(p["step"], p[name]) for p in curves["validation"] if p.get(name) is not None]
            for name in ("map", "accuracy", "auc")
        },
        facts={
            "Device": facts["device"],
            "Precision": facts["precision"],
            "Patches a second": f"{facts['patches_per_s']:.0f}",
            "Restarts": str(facts.get("restarts", 0)),
            **({"Attempts not counted": str(lost)} if (lost := facts.get("uncounted_attempts")) else {}),
        },
    )


def trust_of(store: Store, metrics: Manifest, parts: Mapping[str, Any], labels: Sequence[str]) -> Trust:
    """The calibration of an evaluation and the reliability of its parts."""
    found = json.loads(metrics.files["calibration.json"].read(store))
    temperatures = [1 / slope for slope in found["slopes"]]
    rows = zip(labels, found["thresholds"], parts["test"]["thresholds"], strict=True)
    thresholds = [{"label": label, **chosen, **tested} for label, chosen, tested in rows]
    return Trust(found["output"], found["method"], temperatures, parts, thresholds)


def chance(classes: Sequence[ClassScore]) -> dict[str, float]:
    """What guessing gets: always the commonest label, or a random order."""
    priors = [c.prior for c in classes if c.ap.value is not None]
    return {"accuracy": max(priors), "map": sum(priors) / len(priors)} if priors else {}


def findings_of(store: Store, dataset: Manifest) -> list[Finding]:
    """What was found in the dataset's clips."""
    rows = read_table(dataset.files["findings.parquet"].read(store)).to_pylist()
    return [Finding(row["clip_id"], row["finding"], row["detail"] or "", row["action"]) for row in rows]


def software() -> list[tuple[str, str]]:
    """Versions and machine of whoever makes the report."""
    versions = [f"Python {platform.python_version()}"]
    for name in ("earmark", *PACKAGES):
        with suppress(importlib.metadata.PackageNotFoundError):  # the steps image has no torch
            versions.append(f"{name} {importlib.metadata.version(name)}")
    return [
        ("Versions", ", ".join(versions)),
        ("Machine", f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores"),
    ]


def _facts(metrics: Sequence[Manifest], dataset: Manifest, experiment: Experiment, run: str) -> list[tuple[str, str]]:
    return [
        ("Run", run),
        ("Dataset", dataset.digest),
        ("Test clips", metrics[0].facts["digest"] if metrics else "not scored"),
        ("Seed", str(experiment.base.seed)),
        *software(),
    ]
