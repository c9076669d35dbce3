"""The step ``train_head``: a head fitted on stored embeddings, and the network that it makes with their trunk."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from earmark import __version__
from earmark.catalog import Dataset
from earmark.config import ArchitectureConfig, Config, FeatureSpec, digest, result_key
from earmark.errors import UserError
from earmark.evaluation.labelled_clips import Packaged
from earmark.progress import Progress
from earmark.store import Attempt, Manifest, Store, once
from earmark.store.usage import price_per_hour
from earmark.tracking import ChildRun, DatasetFacts, RunContext, Tracker, flat
from earmark.training.origin import lasting, trained_on
from earmark.transfer.embed import FACTS, WINDOWS
from earmark.transfer.stored import Embeddings

if TYPE_CHECKING:
    from earmark.transfer.material import Fitted, Material

STEP = "train_head"
EPOCH = 1


def train_head(
    store: Store,
    dataset: Manifest,
    embedded: Manifest,
    source: Packaged | None,
    variant: str,
    config: Config,
    run: RunContext,
    progress: Progress,
) -> Manifest:
    """Fit a variant's head on the embeddings of the training clips that ``Dataset.learned`` leaves.

    Files and facts are those of ``train_model``: ``weights.safetensors`` (trunk and head), ``model.json``,
    ``curves.json``. The trunk and its features are the source's, whatever ``config.architecture`` says besides the head
    and the dropout. A linear head is fitted by logistic regression (``train`` says the loss alone), a dense one by
    ``train``'s steps, batch, rate and decay, a neighbours one by storing the clips. Augmentation has no part in it.

    Args:
        store: of the results.
        dataset: clips and labels.
        embedded: their embeddings.
        source: the network that made them; None where they came without it: the head can be evaluated then, and
            neither registered nor used on sound.
        variant: its name.
        config: of the variant.
        run: what the MLflow run lies in.
        progress: told of steps.

    Raises:
        UserError: the embeddings are not the source's or of other windows than ``evaluate`` says; softmax where clips
            have several labels; a dense head without steps.
    """
    dataset.check(store)
    embedded.check(store)
    config = with_source(config, source)
    _check(embedded, source, config)
    read = trained_on(config)
    read["train"] = config.train.model_copy(update={"init_from": None})
    key = result_key(STEP, EPOCH, [dataset.digest, embedded.digest], read, config.seed)

    def work(attempt: Attempt) -> None:
        began = time.monotonic()
        facts = {**dataset.facts["clips"], "labels": len(dataset.facts["labels"])}
        tracker = Tracker(run, DatasetFacts(dataset.digest, dataset.facts["data"], facts), progress)
        tracked = tracker.child(key, variant, flat(config.model_dump()))
        try:
            _fit(attempt, store, dataset, embedded, source, config, tracked, progress)
        except Exception as error:
            tracked.finish("FAILED", cause=str(error).partition("\n")[0])
            raise
        attempt.facts = {"variant": variant, **attempt.facts, **_costs(time.monotonic() - began)}
        final = {f"final/{n}": value for n, value in attempt.facts.items() if isinstance(value, int | float)}
        tracked.finish("FINISHED", final)

    # The same head may have been fitted under another variant's name.
    made = once(store, STEP, key, work)
    return replace(made, facts={**made.facts, "variant": variant})


def is_head(config: Config, patches: Manifest) -> bool:
    """Whether a variant is a head on stored embeddings: no stage is trained, or there is no sound to train one on."""
    return config.train.freeze_stages == "all" or FACTS not in patches.files


def with_source(config: Config, source: Packaged | None) -> Config:
    """The config with the source's network and features, and the config's own head and dropout."""
    if source is None:
        return config
    own = {"head": config.architecture.head, "dropout": config.architecture.dropout}
    theirs = ArchitectureConfig.model_validate(source.document["architecture"])
    features = FeatureSpec.model_validate(source.document["features"])
    return config.model_copy(update={"architecture": theirs.model_copy(update=own), "features": features})


def _fit(
    attempt: Attempt,
    store: Store,
    dataset: Manifest,
    embedded: Manifest,
    source: Packaged | None,
    config: Config,
    tracked: ChildRun,
    progress: Progress,
) -> None:
    # Here, so that what is done already costs no import of torch.
    import torch

    from earmark.training.environment import environment
    from earmark.transfer.dense import fit_dense
    from earmark.transfer.linear import fit_linear
    from earmark.transfer.material import Material
    from earmark.transfer.neighbours import fit_neighbours

    # The index of embeddings names clips as that of frames does; no frame is read.
    opened = Dataset.open(store, dataset, embedded).learned(config.train)
    material = Material.gather(opened, Embeddings(store, embedded), config, trunk=source is not None)
    tracked.tag({f"environment.{name}": value for name, value in environment(torch.device("cpu")).items()})
    fit = {"linear": fit_linear, "dense": fit_dense, "neighbours": fit_neighbours}[config.architecture.head.kind]
    with torch.random.fork_rng(devices=[]):
        fitted = fit(material, tracked.log, progress)
    weights = attempt.put("weights.safetensors", _weights(source, fitted))
    model = attempt.put_json("model.json", _document(opened, dataset, material, source))
    attempt.put_json("curves.json", {"schema_version": 1, **fitted.curves})
    attempt.digest = digest([weights.sha256, model.sha256])
    attempt.facts = _facts(opened, material, fitted, source)


def _weights(source: Packaged | None, fitted: Fitted) -> bytes:
    from safetensors.torch import load, save

    head = {f"output.{name}": t.detach().contiguous() for name, t in fitted.network.output.state_dict().items()}
    trunk = load(source.weights) if source is not None else {}
    return save({**{name: t for name, t in trunk.items() if not name.startswith("output.")}, **head})


def _document(opened: Dataset, dataset: Manifest, material: Material, source: Packaged | None) -> dict[str, Any]:
    config = material.config
    return {
        "schema_version": 1,
        "architecture": config.architecture.model_dump(),
        "labels": opened.labels,
        "single_label": opened.single_label,
        "output": material.output,
        "features": config.features.model_dump(),
        "evaluate": config.evaluate.model_dump(),
        "embedding_size": material.train.e_PE.shape[1],
        "dataset": dataset.digest,
        "train_clips": digest([clip.clip_key for clip in opened.clips("train")]),
        "config": lasting(config).model_dump(),
        "version": __version__,
        "trunk": source is not None,
    }


def _facts(opened: Dataset, material: Material, fitted: Fitted, source: Packaged | None) -> dict[str, Any]:
    architecture = material.config.architecture
    weights, multiplies = _counts(architecture, len(opened.labels), fitted, source)
    return {
        "name": architecture.name if source is not None else "embeddings",
        "steps": fitted.steps,
        "seconds": round(fitted.seconds, 3),
        "weights": weights,
        "multiplies": multiplies,
        "precision": "fp32",
        "device": "cpu",
        "labels": len(opened.labels),
        "train_clips": len(opened.clips("train")),
        "train_patches": len(material.train.e_PE),
        "patches_seen": fitted.patches_seen,
        "patches_per_s": round(fitted.patches_seen / max(fitted.seconds, 1e-9), 2),
        "select": "best" if fitted.selected else "last",
        "selected_step": fitted.selected["step"] if fitted.selected else fitted.steps,
        "best_step": fitted.selected["step"] if fitted.selected else None,
        "validation": fitted.selected,
        "restarts": 0,
    }


def _counts(
    architecture: ArchitectureConfig, n_labels: int, fitted: Fitted, source: Packaged | None
) -> tuple[int, int]:
    """Weights and multiplies by the paper's convention, of the head alone where there is no trunk."""
    from earmark.architectures import count

    if source is None:
        state: Mapping[str, Any] = fitted.network.output.state_dict()
        kernels = sum(t.numel() for name, t in state.items() if t.dim() == 2 and name != "targets")
        return kernels, kernels
    found = count(
        architecture.name,
        n_labels,
        architecture.width,
        architecture.bottleneck,
        head=architecture.head,
        **architecture.options,
    )
    return found.weights, found.multiplies


def _check(embedded: Manifest, source: Packaged | None, config: Config) -> None:
    if source is None:
        return
    if hashlib.sha256(source.weights).hexdigest() != embedded.facts["weights_sha256"]:
        raise UserError(
            f"these embeddings are of {embedded.facts['source']} and the trunk is {source.title}'s: embed the dataset "
            f"with {source.title}"
        )
    for name in WINDOWS:
        theirs, ours = embedded.facts[name], getattr(config.evaluate, name)
        if theirs != ours:
            raise UserError(
                f"config evaluate.{name} is {ours} and these embeddings were made at {theirs}: embed the dataset with "
                "the variant's evaluate values"
            )


def _costs(seconds: float) -> dict[str, float]:
    facts = {"wall_seconds": round(seconds, 3)}
    price = price_per_hour()
    return facts if price is None else {**facts, "cost": round(seconds / 3600 * price, 4)}
