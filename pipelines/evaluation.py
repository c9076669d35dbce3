"""What an evaluation of a model on labelled sound prints."""

from __future__ import annotations

from earmark.pipelines.local import Place
from earmark.pipelines.showing import report_file
from earmark.pipelines.terminal import print_json, print_table
from earmark.store import Store
from earmark.store.runs import result_of

COLUMNS = ("label", "clips", "AP", "AUC", "d-prime", "recall")
MOST_ROWS = 40


def print_evaluation(place: Place, store: Store, run: str, json: bool) -> None:
    """The scores of a model on labelled sound, label by label."""
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
