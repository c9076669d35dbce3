"""The step ``register_model``: how the run ended goes to MLflow, and its champion becomes a version of the model."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

from earmark.config import digest, result_key
from earmark.errors import EarmarkError, UserError
from earmark.progress import Progress
from earmark.registry.card import model_card
from earmark.registry.clips import clips_of
from earmark.registry.ending import (
    Network,
    close_run,
    dataset_of,
    document_of,
    networks_of,
    open_network,
    record_failure,
)
from earmark.registry.logged import logged_model, name_version
from earmark.registry.package import WEIGHTS, write_package
from earmark.registry.versions import SCORES, check_name, create_version, find_version, make_challenger, make_champion
from earmark.store import Attempt, Manifest, Store, find, forget, once
from earmark.tracking import RunContext, close_outcome, connect, mlflow_needed, parent_run

STEP, EPOCH = "register_model", 2
CALIBRATION = "calibration.json"


@dataclass(frozen=True)
class Sounds:
    """What the networks were trained from."""

    catalog: Manifest
    patches: Manifest
    dataset: Manifest


def register_model(
    store: Store,
    comparison: Manifest,
    checkpoints: Sequence[Manifest],
    metrics: Sequence[Manifest],
    catalog: Manifest,
    patches: Manifest,
    dataset: Manifest,
    model: str,
    run: RunContext,
    progress: Progress,
) -> Manifest:
    """Make the champion a version of the registered model, with alias ``champion``; write every network's outcome.

    Done again it changes nothing: runs, version and alias are found by their keys. Facts: ``name``, ``version``,
    ``variant``, ``package`` (the version's key).

    Raises:
        UserError: the model's name cannot be one.
        EarmarkError: a network failed (the run is marked as failed, nothing is registered), or MLflow does not answer.
    """
    check_name(model)
    networks = networks_of(comparison, checkpoints, metrics)
    if comparison.facts["failures"]:
        failure = _failed(comparison.facts["failures"], [m for m in (*checkpoints, *metrics) if m.failed is not None])
        try:
            with mlflow_needed():
                client = connect()
                parent = parent_run(client, run, dataset_of(comparison).digest)
                record_failure(store, client, run, parent, comparison, networks)
        except EarmarkError as error:
            progress.note(f"the failure is not recorded: {error}")
        raise failure
    key = result_key(STEP, EPOCH, [comparison.digest, model, run.run])
    with mlflow_needed():
        client = connect()
        done = find(store, STEP, key)
        if done is not None and not _is_registered(client, done):
            forget(store, STEP, key)
        sounds = Sounds(catalog, patches, dataset)
        return once(
            store, STEP, key, lambda made: _register(made, client, comparison, networks, sounds, model, run, progress)
        )


def _failed(failures: Sequence[Mapping[str, str]], failed: Sequence[Manifest]) -> EarmarkError:
    """A ``UserError`` where the user can mend every cause."""
    mendable = failed and all(each.facts["exit_code"] == UserError.exit_code for each in failed)
    told = "; ".join(f"{each['variant']} failed: {each['cause']}" for each in failures)
    return (UserError if mendable else EarmarkError)(
        f"{told}. Nothing was registered. Mend the cause and run the same command again (finished networks are kept), "
        "or leave the network out with --architectures"
    )


def _is_registered(client: MlflowClient, done: Manifest) -> bool:
    version = find_version(client, done.facts["name"], done.facts["package"])
    return version is not None and int(version.version) == done.facts["version"]


def _register(
    attempt: Attempt,
    client: MlflowClient,
    comparison: Manifest,
    networks: Sequence[Network],
    sounds: Sounds,
    model: str,
    run: RunContext,
    progress: Progress,
) -> None:
    store, dataset = attempt.store, dataset_of(comparison)
    parent = parent_run(client, run, dataset.digest)
    for network in networks:
        run_id, outcome = open_network(store, client, run, parent, dataset, network)
        model_id = None
        if network.name == comparison.facts["champion"]:
            key, version = _version(store, client, comparison, network, sounds, model, run, run_id)
            model_id = str(version.source).removeprefix("models:/")
            name_version(client, model_id, model, int(version.version))
            attempt.facts |= {"variant": network.name, "name": model, "version": int(version.version), "package": key}
        close_outcome(client, run_id, outcome, model_id)
    attempt.digest = digest(attempt.facts)
    number = str(attempt.facts["version"])
    make_challenger(client, model, number)
    make_champion(client, model, number)
    tags = {"earmark.champion": attempt.facts["variant"], "earmark.model": model, "earmark.model_version": number}
    close_run(store, client, parent, comparison, tags)
    progress.note(f"{attempt.facts['variant']} is version {number} of model {model}, its champion")


def _version(
    store: Store,
    client: MlflowClient,
    comparison: Manifest,
    network: Network,
    sounds: Sounds,
    model: str,
    run: RunContext,
    run_id: str,
) -> tuple[str, MlflowVersion]:
    """The key and the version of a network's weights, found or created."""
    assert network.metrics is not None
    key = network.checkpoint.digest
    found = find_version(client, model, key)
    if found is not None:
        return key, found
    document = document_of(store, network)
    scores = {part: network.metrics.facts[part] for part in ("test", "validation")}
    sealed = {**document, "name": model, "variant": network.name, "run": run.run, "scores": scores}
    sealed["catalog"] = sounds.catalog.digest
    sealed["label_ids"] = [label["id"] for label in json.loads(sounds.dataset.files["labels.json"].read(store))]
    if CALIBRATION in network.metrics.files:
        sealed["calibration"] = json.loads(network.metrics.files[CALIBRATION].read(store))
    card = _card(comparison, network, document, model, run)
    with tempfile.TemporaryDirectory() as folder:
        weights, clips = network.checkpoint.files[WEIGHTS].local(store), clips_of(store, sounds.catalog, sounds.dataset)
        package = write_package(Path(folder), weights, sealed, clips, card)
        model_id = logged_model(client, run_id, key, network.name, Path(folder), document)
    tags = {
        "architecture": network.checkpoint.facts["name"],
        "variant": network.name,
        "dataset": comparison.facts["dataset"]["digest"],
        "catalog": sounds.catalog.digest,
        "run": run.run,
        "training": network.checkpoint.key,
        "code_version": document["version"],
        "earmark.package": package,
        **{name: repr(scores["test"][name]) for name in SCORES if scores["test"].get(name) is not None},
    }
    return key, create_version(client, model, key, model_id=model_id, run_id=run_id, tags=tags, card=card)


def _card(comparison: Manifest, network: Network, document: Mapping[str, Any], model: str, run: RunContext) -> str:
    facts, config = network.checkpoint.facts, document["config"]
    assert network.metrics is not None
    return model_card(
        model,
        {
            "architecture": facts["name"],
            "width": config["architecture"]["width"],
            "steps": facts["steps"],
            "weights": facts["weights"],
            "multiplies": facts["multiplies"],
            "run": run.run,
            "code_version": document["version"],
            "confidence": config["evaluate"]["confidence"],
        },
        document["labels"],
        comparison.facts["dataset"],
        {part: network.metrics.facts[part] for part in ("test", "validation")},
        comparison.facts["evaluated_clips"],
    )
