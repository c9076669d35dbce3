"""The page of a model that was scored on labelled sound: the report of a run, of one network and without training."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from earmark.config import digest, result_key
from earmark.evaluation.clips import Clips, mistakes_of, timelines_of
from earmark.evaluation.gather import chance, class_scores, estimate, findings_of, readable, software, trust_of
from earmark.evaluation.labelled_clips import OTHER, TRAINED
from earmark.evaluation.report import Finding, Network, Report, render_report
from earmark.evaluation.report.numbers import counted
from earmark.evaluation.tables import SUMMARY
from earmark.store import Attempt, Manifest, Store, once

STEP = "report_package"
EPOCH = 2
MOST_NAMES = 8


def report_package(
    store: Store, evaluation: Manifest, document: Mapping[str, Any], dataset: Manifest, run: str
) -> Manifest:
    """The evaluation's facts, and ``report.html`` beside its files.

    Args:
        store: of the results.
        evaluation: what ``evaluate_package`` found.
        document: the model's ``model.json``.
        dataset: the clips.
        run: the run's id, for the page.
    """
    about = digest([evaluation.facts["model"], evaluation.facts["data"], run])
    findings = dataset.files["findings.parquet"].sha256

    def work(attempt: Attempt) -> None:
        attempt.facts = {**evaluation.facts, "run": run}
        attempt.files |= evaluation.files
        page = render_report(_gather(store, evaluation, document, dataset, run))
        attempt.put("report.html", page.encode())

    return once(store, STEP, result_key(STEP, EPOCH, [evaluation.digest, findings, about]), work)


def _gather(store: Store, evaluation: Manifest, model: Mapping[str, Any], dataset: Manifest, run: str) -> Report:
    facts = evaluation.facts
    document = json.loads(evaluation.files["metrics.json"].read(store))
    labels = readable(model["labels"])
    tables = document["test"]
    architecture = model["architecture"]["name"]
    network = Network(
        variant=architecture if model.get("variant") == architecture else model.get("variant", architecture),
        architecture=architecture,
        steps=0,
        seconds=0.0,
        weights=facts["weights"],
        multiplies=facts["multiplies"],
        test={name: estimate(tables["summary"], name) for name in SUMMARY},
        validation={},
        classes=class_scores(labels, tables["classes"]),
        confusion=document["confusion"]["counts"] if document["confusion"] else None,
    )
    clips = Clips(facts["data"], store, dataset, model["features"]["resampler"])
    left_out = json.loads(evaluation.files["left_out.json"].read(store))
    return Report(
        run=run,
        source=facts["data"],
        labels=labels,
        single_label=document["single_label"],
        clips=facts["clips"],
        chance=chance(network.classes),
        networks=[network],
        test_order=[network.variant],
        findings=[
            *findings_of(store, dataset),
            *(Finding(row["clip_id"], row["why"], row["detail"], "left out") for row in left_out),
        ],
        timelines=timelines_of(store, evaluation, clips, labels),
        mistakes=mistakes_of(store, evaluation, clips, labels),
        trust=trust_of(store, evaluation, document["calibration"], labels) if document["calibration"] else None,
        confidence=document["confidence"],
        command=command(facts),
        facts=[("Run", run), ("Model", facts["model"]), ("Dataset", dataset.digest), *software()],
        evaluated=facts["model"],
        remarks=remarks(facts),
    )


def command(facts: Mapping[str, Any]) -> str:
    """What makes the page again."""
    included = ["--include-trained"] if facts["trained"] else []
    return shlex.join(["earmark", "evaluate", facts["model"], "--data", facts["data"], *included])


def remarks(facts: Mapping[str, Any]) -> list[str]:
    """What the scores are of, and what they are not of."""
    labels, out = facts["labels"], facts["left_out"]
    known = len(labels["common"]) + len(labels["model_only"])
    said = [
        f"{facts['model']} was scored on {counted(facts['clips']['test'], 'clip')} of "
        f"{len(labels['common'])} of its {known} labels."
    ]
    if labels["model_only"]:
        said.append(f"Without a clip here, and so in no mean: {_names(labels['model_only'])}.")
    if labels["data_only"]:
        clips = f" ({counted(out[OTHER], 'clip')} left out)" if out[OTHER] else ""
        said.append(f"Unknown to the model, and so in no mean: {_names(labels['data_only'])}{clips}.")
    if out[TRAINED]:
        said.append(f"{counted(out[TRAINED], 'clip').capitalize()} that it was trained or chosen on were left out.")
    if facts["trained"]:
        said.append(f"It was trained or chosen on {facts['trained']} of these clips: the scores flatter it.")
    if facts["trained"] is None:
        said.append("Its package does not tell what it was trained on: some of these clips may be among it.")
    return said


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(readable(names)[:MOST_NAMES])
    return shown + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")
