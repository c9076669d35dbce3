"""How a run over folds and seeds ended, for MLflow: every model's outcome, the pooled scores. Registers nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

from earmark.errors import EarmarkError
from earmark.progress import Progress
from earmark.registry.ending import Network, document_of, is_recorded, open_network
from earmark.registry.versions import SCORES
from earmark.store import Manifest, Store
from earmark.tracking import DatasetFacts, RunContext, close_outcome, close_parent, connect, mlflow_needed, parent_run


def record_pooled(
    store: Store,
    pooled: Manifest,
    checkpoints: Sequence[Manifest],
    metrics: Sequence[Manifest],
    datasets: Sequence[Manifest],
    run: RunContext,
    progress: Progress,
) -> None:
    """Write every model's run and the end of the pipeline run's own; where MLflow is away, say so and go on.

    Args:
        store: of the results.
        pooled: the pooled scores.
        checkpoints: of every variant; failures may be among them.
        metrics: the same.
        datasets: the same, in any order; one at least is no failure.
        run: the pipeline run.
        progress: told when MLflow does not answer.
    """
    assembled = {each.digest: each for each in datasets if each.failed is None}
    first = next(iter(assembled.values()))
    try:
        with mlflow_needed():
            client = connect()
            parent = parent_run(client, run, first.digest)
            if not is_recorded(client, parent, pooled):
                _record(store, client, parent, pooled, checkpoints, metrics, assembled, run)
    except EarmarkError as error:
        progress.note(f"the run's end is not in MLflow: {error}")


def _record(
    store: Store,
    client: MlflowClient,
    parent: str,
    pooled: Manifest,
    checkpoints: Sequence[Manifest],
    metrics: Sequence[Manifest],
    datasets: Mapping[str, Manifest],
    run: RunContext,
) -> None:
    first = next(iter(datasets.values()))
    scored = {each.facts["variant"]: each for each in metrics}
    causes = {each["variant"]: each["cause"] for each in pooled.facts["failures"]}
    for checkpoint in checkpoints:
        name = checkpoint.facts["variant"]
        network = Network(name, checkpoint, scored.get(name), causes.get(name, ""))
        own = first if checkpoint.failed is not None else datasets[document_of(store, network)["dataset"]]
        run_id, outcome = open_network(store, client, run, parent, _facts(own), network)
        close_outcome(client, run_id, outcome)
    close_parent(
        client,
        parent,
        "FAILED" if causes else "FINISHED",
        DatasetFacts(run.data or first.digest, first.facts["data"], {"test": pooled.facts["evaluated_clips"]}),
        tags={"earmark.folds": ", ".join(pooled.facts["folds"]), "earmark.seeds": _listed(pooled.facts["seeds"])},
        figures=_figures(pooled.facts),
        report=pooled.files["report.html"].read(store),
        note=_note(pooled.facts),
    )


def _facts(dataset: Manifest) -> DatasetFacts:
    counts = {**dataset.facts["clips"], "labels": len(dataset.facts["labels"])}
    return DatasetFacts(dataset.digest, dataset.facts["data"], counts)


def _figures(facts: Mapping[str, Any]) -> dict[str, float]:
    """Pooled scores of the choice by validation, or of the first network where nothing was chosen from."""
    row = facts["chosen"] or facts["networks"][0]
    found = {"test": row["single"], "test_averaged": row["ensemble"]}
    return {
        f"{part}/{score}": scores[score]
        for part, scores in found.items()
        if scores is not None
        for score in SCORES
        if scores[score] is not None
    }


def _note(facts: Mapping[str, Any]) -> str:
    """The networks in the order of the validation part, as Markdown."""
    lines = [f"Pooled scores on {facts['evaluated_clips']} test clips; nothing is registered.", ""]
    lines += ["| network | models | mAP | AUC | d-prime | accuracy |", "|---|---|---|---|---|---|"]
    rows = [(each["name"], each) for each in facts["networks"]]
    if facts["chosen"] is not None:
        rows.append(("chosen by validation", facts["chosen"]))
    for name, row in rows:
        for told, scores in (("single", row["single"]), ("averaged", row["ensemble"])):
            if scores is not None:
                cells = ["–" if scores[score] is None else f"{scores[score]:.3f}" for score in SCORES]
                lines.append(f"| {name} | {told} | " + " | ".join(cells) + " |")
    lines += [f"\n**{each['variant']} failed**: {each['cause']}" for each in facts["failures"]]
    return "\n".join(lines)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
