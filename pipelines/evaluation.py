"""``earmark evaluate``: a model that is there, on labelled sound; what it prints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.config import Config, DataConfig, EvaluateConfig, Experiment, FeatureSpec, Variant
from earmark.pipelines.commands import absolute, follow_run, report_file
from earmark.pipelines.local import Place, open_place
from earmark.pipelines.runs import Run, now, result_of, run_id
from earmark.pipelines.terminal import Terminal, print_json, print_table
from earmark.store import Store, open_store

if TYPE_CHECKING:
    from earmark.registry import Package

COLUMNS = ("label", "clips", "AP", "AUC", "d-prime", "recall")
MOST_ROWS = 40


def run_evaluate(model: str, data: str, include_trained: bool, work: str, json: bool) -> None:
    """Run the graph here, then print the scores and where the report is."""
    place = open_place(work)
    os.environ.update(place.environment())
    from earmark.registry import fetch_package

    package = fetch_package(model)
    experiment = evaluate_request(package)
    # The version, not its alias: what is champion may change while this runs.
    reference = package.title if package.version else str(Path(package.folder).absolute())
    arguments: dict[str, Any] = {
        "data": absolute(data),
        "experiment": experiment.to_json(),
        "model": reference,
        "include_trained": include_trained,
    }
    name = run_id("evaluate", arguments)
    variants = tuple(variant.name for variant in experiment.variants)
    run = Run(name, "evaluate", arguments["data"], package.name, experiment.base.preset, variants, now())
    terminal = Terminal()
    terminal.console.print(f"run {name}: {reference} on {data}")
    follow_run(place, open_store(os.environ["EARMARK_STORE"]), run, arguments, terminal, json, _print_evaluation)


def evaluate_request(package: Package) -> Experiment:
    """What the steps before the model need to know: its features, and that all clips are test.

    Bad clips are named in the report and stop nothing: a model is not hurt by them as training would be.
    """
    document = package.document
    base = Config(
        preset=document.get("config", {}).get("preset", "modern"),
        features=FeatureSpec.model_validate(document["features"]),
        data=DataConfig(all_test=True, max_rejected_share=1.0),
        evaluate=EvaluateConfig.model_validate(document["evaluate"]),
    )
    return Experiment(base=base, variants=(Variant(name=document["architecture"]["name"]),))


def _print_evaluation(place: Place, store: Store, run: str, json: bool) -> None:
    import json as reader

    found = result_of(store, run, "evaluate_package")
    if found is None:
        return
    report = report_file(place, store, run, None)
    tables = reader.loads(found.files["metrics.json"].read(store))
    if json:
        left_out = reader.loads(found.files["left_out.json"].read(store))
        reliability = tables["calibration"]["test"] if tables["calibration"] else None
        print_json(
            {
                **found.facts,
                "classes": tables["test"]["classes"],
                "reliability": reliability,
                "clips_left_out": left_out,
                "report": str(report),
            }
        )
        return
    from earmark.evaluation.labelled_report import remarks

    summary = tables["test"]["summary"]
    rows = [_row("mean of labels", str(found.facts["clips"]["test"]), {**summary, "recall": None}, "map")]
    scored = [row for row in tables["test"]["classes"] if row["positives"]]
    rows += [_row(row["label"], str(row["positives"]), row, "ap") for row in scored[:MOST_ROWS]]
    print_table(f"{found.facts['model']} on {found.facts['data']}", COLUMNS, rows)
    if len(scored) > MOST_ROWS:
        print(f"and {len(scored) - MOST_ROWS} more labels: see the report, or --json")
    if summary["accuracy"] is not None:
        print(f"accuracy: {summary['accuracy']:.1%} [{summary['accuracy_low']:.0%}–{summary['accuracy_high']:.0%}]")
    for line in remarks(found.facts):
        print(line)
    errors = found.facts["calibration"]
    if errors is not None:
        print(f"calibration error: {errors['test']['before']:.3f}, calibrated {errors['test']['after']:.3f}")
    print(f"report: {report}")


def _row(label: str, clips: str, scores: dict[str, float | None], precision: str) -> list[str]:
    shown = ((precision, 3), ("auc", 3), ("d_prime", 2), ("recall", 3))
    told = [_number(scores[name], digits) for name, digits in shown]
    if scores["auc"] == 1.0:
        told[2] = "∞"
    return [label, clips, *told]


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
