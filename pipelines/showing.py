"""What a run's steps left in the store, as people and programs read it: tables, and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from earmark.errors import UserError
from earmark.pipelines.decision import champion_in, decision_lines, decision_of, gate_in
from earmark.pipelines.local import Place
from earmark.pipelines.pooled import POOLED_COLUMNS, pooled_notes, pooled_rows, pooled_title
from earmark.pipelines.terminal import COMPARISON_COLUMNS, comparison_rows, counted, print_json, print_table
from earmark.store import Store
from earmark.store.runs import result_of

Show = Callable[[Place, Store, str, bool], None]
"""Prints the results of a run, by its id, as far as it got: place for the report, store, run, whether as JSON."""


def print_pooled(place: Place, store: Store, run: str, json: bool) -> None:
    """The pooled scores of a cross-validation, as far as it got."""
    pooled = result_of(store, run, "pool_models")
    if pooled is None:
        return
    report = report_file(place, store, run, None)
    if json:
        print_json({**pooled.facts, "run": run, "report": str(report)})
        return
    print_table(pooled_title(pooled.facts), POOLED_COLUMNS, pooled_rows(pooled.facts))
    for line in pooled_notes(pooled.facts):
        print(line)
    print(f"report: {report}")


def print_comparison(place: Place, store: Store, run: str, json: bool) -> None:
    """The result of a run, as far as it got."""
    comparison = result_of(store, run, "compare_models")
    if comparison is None:
        return
    report = report_file(place, store, run, None)
    decision = decision_of(place, store, run)
    if json:
        told = {"champion": champion_in(decision), "gate": gate_in(decision)} if decision else {"champion": None}
        print_json({**comparison.facts, "run": run, "report": str(report), **told})
        return
    if "study" in comparison.facts:
        print_study(comparison.facts["study"])
    else:
        print_networks(comparison.facts)
    if decision is not None:
        print(f"registered: {comparison.facts['champion']}, version {decision['version']} of model {decision['name']}")
        for line in decision_lines(decision):
            print(line)
    print(f"report: {report}")


def print_networks(facts: Mapping[str, Any]) -> None:
    """The networks of a comparison as a table."""
    title = f"{facts['evaluated_clips']} test clips; networks in the order of the validation part"
    print_table(title, COMPARISON_COLUMNS, comparison_rows(facts["networks"]))


def print_study(study: Mapping[str, Any]) -> None:
    """A study's table, and the paper's rows under it."""
    rows = [
        [f"{cell['figure']} [{cell['span']}]" if cell["span"] else cell["figure"] for cell in row]
        for row in study["rows"]
    ]
    print_table(study["title"], study["columns"], rows, study["words"])
    print(study["caption"])
    if study["paper_rows"]:
        print_table(study["paper_title"], study["paper_columns"], study["paper_rows"])


def print_embeddings(_place: Place, store: Store, run: str, json: bool) -> None:
    """Where the embeddings of a run lie."""
    found = result_of(store, run, "export_embeddings")
    if found is None:
        return
    where = [f"{store.uri}/{ref.object}" for ref in found.files.values()]
    if json:
        print_json({**found.facts, "run": run, "files": where})
        return
    print(f"embeddings of {counted(found.facts['clips'], 'clip')} by {found.facts['model']}:")
    for file in where:
        print(f"  {file}")


def report_file(place: Place, store: Store, run: str, output: Path | None) -> Path:
    """The page of a run, written where it is wanted, else below the work folder.

    Raises:
        UserError: the run has none yet, or the place cannot be written.
    """
    # A retraining is about champion and challenger; how its networks compare is told beside that.
    steps = ("gate_model",) if run.startswith("retrain-") else ("compare_models", "pool_models", "evaluate_package")
    found = (result_of(store, run, step) for step in steps)
    told = next((manifest for manifest in found if manifest is not None), None)
    news = result_of(store, run, "find_news")
    if told is None and news is not None and not news.facts["found"]:
        raise UserError(f"run {run} has no report: there was {news.facts['told']}")
    if told is None:
        raise UserError(f"run {run} has no report yet: its command, given again, goes on with it")
    path = output or place.work / "reports" / f"{run}.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(told.files["gate.html" if told.step == "gate_model" else "report.html"].read(store))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another place with --output") from None
    return path
