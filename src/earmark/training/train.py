"""The step ``train_model``: one network trained, once, however often it is interrupted. Imports no torch itself."""

from __future__ import annotations

from pathlib import Path

from earmark.architectures import complete_options
from earmark.config import Config, TrainConfig, result_key
from earmark.errors import UserError
from earmark.progress import Progress
from earmark.store import Attempt, FileRef, Manifest, Store, once
from earmark.tracking import RunContext
from earmark.training.job import Job
from earmark.training.supervisor import supervise

STEP = "train_model"
EPOCH = 2
OPERATIONAL = ("checkpoint_every_seconds", "keep_checkpoints", "max_restarts")
"""Fields that change how a run is looked after, not what comes of it."""


def train_model(
    store: Store,
    dataset: Manifest,
    patches: Manifest,
    variant: str,
    config: Config,
    run: RunContext,
    progress: Progress,
) -> Manifest:
    """Train a variant's network, going on from its last checkpoint if there is one.

    Files: ``weights.safetensors`` (the averaged weights where averaging is on), ``model.json`` (all that inference
    needs), ``curves.json``. Facts: steps, seconds, counts, precision, device, last validation, restarts.

    Raises:
        UserError: what the config asks for cannot be (no steps, an unknown network, a batch over the data's size).
        EarmarkError: training failed; with its cause.
    """
    if config.train.steps is None:
        raise UserError(f"train.steps must be given: preset {config.preset!r} does not say how long to train")
    complete_options(config.architecture.name, config.architecture.options)
    dataset.check(store)
    patches.check(store)
    key = training_key(dataset, config)

    def work(attempt: Attempt) -> None:
        job = Job(store.uri, dataset, patches, variant, config, key, run, Path())
        outcome, restarts = supervise(job, progress)
        for name, ref in outcome.files.items():
            attempt.name(name, FileRef(**ref))
        attempt.digest = outcome.digest
        attempt.facts = {**outcome.facts, "restarts": restarts}

    return once(store, STEP, key, work)


def training_key(dataset: Manifest, config: Config) -> str:
    """The key under which a training's result and its checkpoints lie."""
    plain = {name: TrainConfig.model_fields[name].default for name in OPERATIONAL}
    parts = {
        "features": config.features,
        "architecture": config.architecture,
        "augment": config.augment,
        "train": config.train.model_copy(update=plain),
        "evaluate": config.evaluate,
    }
    return result_key(STEP, EPOCH, [dataset.digest], parts, config.seed)
