"""The step ``register_model``: how the run ended goes to MLflow, and its best network becomes a version."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

from earmark.config import digest, result_key
from earmark.errors import EarmarkError, UserError
from earmark.progress import Progress
from earmark.registry.ending import (
    Network,
    close_run,
    dataset_of,
    document_of,
    is_recorded,
    networks_of,
    open_network,
    record_networks,
)
from earmark.registry.logged import logged_model, name_version
from earmark.registry.pack import Sounds, pack
from earmark.registry.versions import SCORES, check_name, create_version, find_version, make_challenger
from earmark.store import Attempt, Manifest, Store, find, forget, once
from earmark.tracking import RunContext, close_outcome, connect, mlflow_needed, parent_run

STEP, EPOCH = "register_model", 2


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
    """Make the best network a version of the registered model, the challenger; write every network's outcome.

    Done again it changes nothing: runs, version and alias are found by their keys. Facts: ``name``, ``version``,
    ``variant``, ``package`` (the version's key). Without a ``model`` nothing becomes a version: the outcomes are
    written as far as MLflow answers, and the comparison is handed on.

    Raises:
        UserError: the model's name cannot be one.
        EarmarkError: a network failed (the run is marked as failed, nothing is registered), or MLflow does not answer.
    """
    if model:
        check_name(model)
    networks = networks_of(comparison, checkpoints, metrics)
    if comparison.facts["failures"]:
        failure = _failed(comparison.facts["failures"], [m for m in (*checkpoints, *metrics) if m.failed is not None])
        try:
            with mlflow_needed():
                client = connect()
                parent = parent_run(client, run, dataset_of(comparison).digest)
                record_networks(store, client, run, parent, comparison, networks)
        except EarmarkError as error:
            progress.note(f"the failure is not recorded: {error}")
        raise failure
    if not model:
        _record(store, comparison, networks, run, progress)
        return comparison
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


def _record(
    store: Store, comparison: Manifest, networks: Sequence[Network], run: RunContext, progress: Progress
) -> None:
    """Write how every network and the run ended; where MLflow is away, say so and go on."""
    try:
        with mlflow_needed():
            client = connect()
            parent = parent_run(client, run, dataset_of(comparison).digest)
            if not is_recorded(client, parent, comparison):
                record_networks(store, client, run, parent, comparison, networks)
    except EarmarkError as error:
        progress.note(f"the run's end is not in MLflow: {error}")


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
            key, version = _version(store, client, comparison, network, sounds, model, run, run_id, progress)
            model_id = str(version.source).removeprefix("models:/")
            name_version(client, model_id, model, int(version.version))
            attempt.facts |= {"variant": network.name, "name": model, "version": int(version.version), "package": key}
        close_outcome(client, run_id, outcome, model_id)
    attempt.digest = digest(attempt.facts)
    number = str(attempt.facts["version"])
    make_challenger(client, model, number)
    tags = {"earmark.champion": attempt.facts["variant"], "earmark.model": model, "earmark.model_version": number}
    close_run(store, client, parent, comparison, tags)
    progress.note(f"{attempt.facts['variant']} is version {number} of model {model}")


def _version(
    store: Store,
    client: MlflowClient,
    comparison: Manifest,
    network: Network,
    sounds: Sounds,
    model: str,
    run: RunContext,
    run_id: str,
    progress: Progress,
) -> tuple[str, MlflowVersion]:
    """The key and the version of a network's weights, found or created."""
    assert network.metrics is not None
    key = network.checkpoint.digest
    found = find_version(client, model, key)
    if found is not None:
        return key, found
    with tempfile.TemporaryDirectory() as folder:
        packed = pack(Path(folder), store, comparison, network, sounds, model, run, progress)
        model_id = logged_model(client, run_id, packed.package, network.name, Path(folder))
    scores = network.metrics.facts["test"]
    tags = {
        "architecture": network.checkpoint.facts["name"],
        "variant": network.name,
        "dataset": comparison.facts["dataset"]["digest"],
        "catalog": sounds.catalog.digest,
        "run": run.run,
        "training": network.checkpoint.key,
        "code_version": document_of(store, network)["version"],
        "earmark.package": packed.package,
        **{name: repr(scores[name]) for name in SCORES if scores.get(name) is not None},
    }
    return key, create_version(client, model, key, model_id=model_id, run_id=run_id, tags=tags, card=packed.card)
