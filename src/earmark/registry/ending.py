"""How a pipeline run ended, for MLflow: every network's outcome, and the run's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

from earmark.registry.versions import SCORES
from earmark.store import Manifest, Store
from earmark.tracking import DatasetFacts, Outcome, RunContext, close_outcome, close_parent, flat, open_outcome

PARTS = ("train", "validation")


@dataclass(frozen=True)
class Network:
    """What a pipeline run made of one variant. Either manifest may stand for a failure."""

    name: str
    checkpoint: Manifest
    metrics: Manifest | None
    cause: str
    """Why it failed, in a line; empty where it did not."""


def networks_of(comparison: Manifest, checkpoints: Sequence[Manifest], metrics: Sequence[Manifest]) -> list[Network]:
    """The run's networks, each with its own manifests."""
    scored = {each.facts["variant"]: each for each in metrics}
    causes = {each["variant"]: each["cause"] for each in comparison.facts["failures"]}
    names = [each.facts["variant"] for each in checkpoints]
    return [
        Network(name, each, scored.get(name), causes.get(name, ""))
        for name, each in zip(names, checkpoints, strict=True)
    ]


def dataset_of(comparison: Manifest) -> DatasetFacts:
    """What MLflow shows of the dataset that was compared on."""
    facts = comparison.facts["dataset"]
    return DatasetFacts(facts["digest"], facts["data"], dict(facts["clips"]))


def document_of(store: Store, network: Network) -> dict[str, Any]:
    """``model.json`` of a trained network."""
    document: dict[str, Any] = json.loads(network.checkpoint.files["model.json"].read(store))
    return document


def open_network(
    store: Store, client: MlflowClient, run: RunContext, parent: str, dataset: DatasetFacts, network: Network
) -> tuple[str, Outcome]:
    """A network's run with all but its end, and its outcome."""
    outcome = _outcome(store, network)
    return open_outcome(client, run, parent, dataset, outcome), outcome


def close_run(store: Store, client: MlflowClient, parent: str, comparison: Manifest, tags: Mapping[str, str]) -> None:
    """End the pipeline run's own run: the best network's scores, a table of all networks, the report."""
    facts = comparison.facts
    best = {score: each[score] for each in facts["networks"][:1] for score in SCORES if each.get(score) is not None}
    close_parent(
        client,
        parent,
        "FAILED" if facts["failures"] else "FINISHED",
        dataset_of(comparison),
        tags=tags,
        figures={f"test/{score}": value for score, value in best.items()} | _costs(facts["networks"]),
        report=comparison.files["report.html"].read(store),
        note=_note(comparison),
    )


def record_networks(
    store: Store, client: MlflowClient, run: RunContext, parent: str, comparison: Manifest, networks: Sequence[Network]
) -> None:
    """Write how every network and the run ended, where nothing is registered."""
    dataset = dataset_of(comparison)
    for network in networks:
        run_id, outcome = open_network(store, client, run, parent, dataset, network)
        close_outcome(client, run_id, outcome)
    close_run(store, client, parent, comparison, {})


def is_recorded(client: MlflowClient, parent: str, told: Manifest) -> bool:
    """Whether the run has ended in MLflow with this report."""
    found = client.get_run(parent)
    ended = found.info.status in ("FINISHED", "FAILED")
    return ended and found.data.tags.get("earmark.report") == told.files["report.html"].sha256


def _outcome(store: Store, network: Network) -> Outcome:
    checkpoint = network.checkpoint
    if checkpoint.failed is not None:
        return Outcome(network.name, "", network.cause)
    figures = {f"final/{name}": v for name, v in checkpoint.facts.items() if isinstance(v, int | float)}
    if network.metrics is not None and network.metrics.failed is None:
        for part, title in {"test": "test", "validation": "final_validation"}.items():
            scores = {name: value for name, value in network.metrics.facts[part].items() if value is not None}
            figures |= {f"{title}{_section(name)}/{name}": value for name, value in scores.items()}
    curves = json.loads(checkpoint.files["curves.json"].read(store))
    return Outcome(
        network.name,
        checkpoint.key,
        network.cause,
        params=flat(document_of(store, network)["config"]),
        curves={part: curves[part] for part in PARTS},
        figures=figures,
    )


def _costs(networks: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What all networks took, where that is known of any."""
    known = {name: [each[name] for each in networks if name in each] for name in ("gpu_seconds", "cost")}
    return {f"total/{name}": sum(values) for name, values in known.items() if values}


def _section(score: str) -> str:
    """The ends of intervals go to a section of MLflow's charts of their own."""
    return "_intervals" if score.endswith(("_low", "_high")) else ""


def _note(comparison: Manifest) -> str:
    """The networks in the order of the validation part, as Markdown."""
    lines = [f"Test scores on {comparison.facts['evaluated_clips']} clips, in the order of the validation part.", ""]
    lines += ["| network | mAP | AUC | d-prime | accuracy |", "|---|---|---|---|---|"]
    for each in comparison.facts["networks"]:
        cells = ["–" if each.get(score) is None else f"{each[score]:.3f}" for score in SCORES]
        lines.append(f"| {each['name']} | " + " | ".join(cells) + " |")
    lines += [f"\n**{each['variant']} failed**: {each['cause']}" for each in comparison.facts["failures"]]
    return "\n".join(lines)
