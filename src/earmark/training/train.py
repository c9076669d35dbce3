"""The step ``train_model``: one network trained, once, however often it is interrupted. Imports no torch itself."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from earmark.architectures import complete_options
from earmark.config import Config, result_key
from earmark.errors import UserError
from earmark.progress import Progress
from earmark.store import Attempt, FileRef, Manifest, Store, once
from earmark.store.usage import Usage, price_per_hour
from earmark.tracking import RunContext
from earmark.training.initial import keep_initial
from earmark.training.job import Job
from earmark.training.origin import check_resume, origin, trained_on
from earmark.training.processes import used_gpus
from earmark.training.supervisor import supervise

STEP = "train_model"
EPOCH = 2
NOTHING = Usage()


def train_model(
    store: Store,
    dataset: Manifest,
    patches: Manifest,
    variant: str,
    config: Config,
    run: RunContext,
    progress: Progress,
    initial: Path | None = None,
    earlier: Usage = NOTHING,
) -> Manifest:
    """Train a variant's network, going on from its last checkpoint if there is one.

    ``initial`` is the folder with the package that ``train.init_from`` names, where that is no folder itself;
    ``earlier`` is what attempts that did not come to the end took.

    Files: ``weights.safetensors`` (the averaged weights where averaging is on), ``model.json`` (all that inference
    needs), ``curves.json``. Facts: steps, seconds, counts, precision, device, restarts, which weights are shipped (the
    step) and what validation said of them; what it cost (wall_seconds of all attempts; gpus and gpu_seconds, cost,
    uncounted_attempts where there are any).

    Raises:
        UserError: what the config asks for cannot be (no steps, an unknown network, a batch over the data's size), or
            ``train.resume_from`` names a checkpoint of another config or other data.
        EarmarkError: training failed; with its cause.
    """
    if not config.train.has_budget:
        raise UserError(
            "train.steps (or train.epochs, or train.minutes) must be given: "
            f"preset {config.preset!r} does not say how long to train"
        )
    complete_options(config.architecture.name, config.architecture.options)
    dataset.check(store)
    patches.check(store)
    config = keep_initial(store, config, initial)
    key = training_key(dataset, config)

    def work(attempt: Attempt) -> None:
        if config.train.resume_from is not None:
            check_resume(config.train.resume_from, origin(config, dataset.digest))
        job = Job(store.uri, dataset, patches, variant, config, key, run, Path())
        began = time.monotonic()
        outcome, restarts = supervise(job, progress)
        costs = _costs(time.monotonic() - began, earlier)
        for name, ref in outcome.files.items():
            attempt.name(name, FileRef(**ref))
        attempt.digest = outcome.digest
        attempt.facts = {**outcome.facts, "restarts": restarts, **costs}

    # The same training may have been done under another variant's name.
    made = once(store, STEP, key, work)
    return replace(made, facts={**made.facts, "variant": variant})


def training_key(dataset: Manifest, config: Config) -> str:
    """The key under which a training's result and its checkpoints lie."""
    return result_key(STEP, EPOCH, [dataset.digest], trained_on(config), config.seed)


def _costs(seconds: float, earlier: Usage) -> dict[str, Any]:
    """What this attempt and earlier ones took; no row of zeros where there is no GPU and no price."""
    gpus, price = used_gpus(), price_per_hour()
    facts: dict[str, Any] = {"wall_seconds": round(seconds + earlier.seconds, 3)}
    if gpus:
        facts |= {"gpus": gpus, "gpu_seconds": round(seconds * gpus + earlier.gpu_seconds, 3)}
    if price is not None:
        facts["cost"] = round(seconds / 3600 * price + (earlier.cost or 0.0), 4)
    if earlier.uncounted:
        facts["uncounted_attempts"] = earlier.uncounted
    return facts
