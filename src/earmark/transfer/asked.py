"""The experiment of ``earmark run transfer``: ways to use a trained network × clips of each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from earmark.architectures import complete_options
from earmark.config import ArchitectureConfig, AugmentConfig, Config, Experiment, Variant, make_config, merge
from earmark.config.presets import PER_ARCHITECTURE
from earmark.errors import UserError, unknown_name
from earmark.evaluation.repeat import TRANSFER_HOP_SECONDS

HEADS = {"dense": "dense", "linear": "linear", "neighbours": "neighbours"}
"""Methods that train a head on stored embeddings, and its kind."""
CONTEXTS = {"logmel-20": 20, "logmel-96": 96}
"""Methods that train the dense model on log-mel, and how many frames it sees."""
FINETUNE = "finetune"
METHODS = (*HEADS, FINETUNE, *CONTEXTS)
SIZES = ("1", "5", "10", "all")
ALL = "all"
GIVEN = ("name", "width", "bottleneck", "options")
"""What of ``architecture`` the trained network decides."""


def transfer_request(
    preset: str,
    patch: Mapping[str, Any],
    reference: str,
    document: Mapping[str, Any],
    methods: Sequence[str],
    sizes: Sequence[str],
    freeze: int | None,
) -> Experiment:
    """Every method at every size, each checked before anything runs; variants are called ``dense.5``, ``dense.all``.

    Network, width and features are the trained network's. The dense model has the same layers and units on embeddings
    and on log-mel, so that only its input differs. Windows do not overlap unless ``evaluate.hop_seconds`` says so.
    Heads see clips as they are, embeddings being made once; networks are trained with the preset's augmentation.

    Args:
        preset: modern, quick or paper.
        patch: nested values over the preset.
        reference: the trained network, as every process finds it.
        document: its ``model.json``.
        methods: of :data:`METHODS`, none for all.
        sizes: training clips of each label, whole numbers or ``all``; none for :data:`SIZES`.
        freeze: of a fine-tuned network's stages, how many keep their weights; None for half of them.

    Raises:
        UserError: an unknown method, size, preset, key or option, or a value that cannot be.
    """
    methods, sizes = methods or METHODS, sizes or SIZES
    _check_names(methods, sizes, METHODS)
    _check_patch(patch)
    source = ArchitectureConfig.model_validate(document["architecture"])
    shape = {"name": source.name, "width": source.width, "bottleneck": source.bottleneck}
    start: dict[str, Any] = {
        "features": dict(document["features"]),
        "architecture": shape,
        "train": {"init_from": reference},
    }
    base = _base(preset, patch, start)
    patches = {method: _patch(method, base, source, freeze) for method in methods}
    return _experiment(base, patches, sizes)


def probe_request(preset: str, patch: Mapping[str, Any], methods: Sequence[str], sizes: Sequence[str]) -> Experiment:
    """Heads at every size, on embeddings that came without their network; as :func:`transfer_request`.

    Raises:
        UserError: as there, or a method that needs sound.
    """
    methods, sizes = methods or tuple(HEADS), sizes or SIZES
    _check_names(methods, sizes, tuple(HEADS))
    _check_patch(patch)
    patches = {
        method: {"architecture": {"head": {"kind": HEADS[method]}}, "augment": AugmentConfig().model_dump()}
        for method in methods
    }
    return _experiment(_base(preset, patch, {}), patches, sizes)


def _base(preset: str, patch: Mapping[str, Any], start: Mapping[str, Any]) -> Config:
    base = make_config(preset, merge(merge({"evaluate": {"hop_seconds": TRANSFER_HOP_SECONDS}}, patch), start))
    if not base.train.has_budget:
        raise UserError(f"preset {preset} does not say how long to train: give train.steps (--steps 5000)")
    return base


def _experiment(base: Config, patches: Mapping[str, dict[str, Any]], sizes: Sequence[str]) -> Experiment:
    variants = [
        Variant(name=f"{method}.{size}", patch=merge(patches[method], {"train": _clips(size)}))
        for method in patches
        for size in sizes
    ]
    experiment = Experiment(question="transfer", base=base, variants=tuple(variants))
    for variant in variants:
        architecture = experiment.variant(variant.name).architecture
        complete_options(architecture.name, architecture.options)
    return experiment


def _check_names(methods: Sequence[str], sizes: Sequence[str], known: Sequence[str]) -> None:
    for method in methods:
        if method not in known:
            raise unknown_name("method in --methods", method, known)
    for size in sizes:
        if size != ALL and not (size.isdecimal() and int(size) and str(int(size)) == size):
            raise UserError(f"--clips {size!r}: give training clips of each label, as in --clips 1,5,10,all")
    for option, names in (("--methods", methods), ("--clips", sizes)):
        twice = next((name for name in names if list(names).count(name) > 1), None)
        if twice is not None:
            raise UserError(f"{option} names {twice} twice: name it once")


def _check_patch(patch: Mapping[str, Any]) -> None:
    """What the trained network, the methods and the sizes decide cannot be set as well."""
    architecture, train = patch.get("architecture", {}), patch.get("train", {})
    decided = [f"architecture.{name}" for name in GIVEN if name in architecture]
    decided += ["features"] if "features" in patch else []
    if decided:
        raise UserError(f"config {decided[0]} follows from the network given by --from: leave it out")
    of_train = {"init_from": "from", "freeze_stages": "freeze", "clips_per_label": "clips", "clip_share": "clips"}
    for name, option in of_train.items():
        if name in train:
            raise UserError(f"config train.{name} follows from --{option}: leave it out")
    if train.get("resume_from") is not None:
        raise UserError("config train.resume_from is the checkpoint of one network and a transfer trains several")


def _clips(size: str) -> dict[str, int]:
    return {} if size == ALL else {"clips_per_label": int(size)}


def _patch(method: str, base: Config, source: ArchitectureConfig, freeze: int | None) -> dict[str, Any]:
    options = {"options": dict(source.options)}
    if method in HEADS:
        kind = {"head": {"kind": HEADS[method]}}
        plain = AugmentConfig().model_dump()
        return {"architecture": {**options, **kind}, "train": {"freeze_stages": "all"}, "augment": plain}
    linear: dict[str, Any] = {"head": {"kind": "linear"}}
    if method == FINETUNE:
        own = PER_ARCHITECTURE.get(base.preset, {}).get(source.name, {}).get("train", {})
        frozen = _frozen(source, freeze)
        return {"architecture": {**options, **linear}, "train": {**own, "freeze_stages": frozen}}
    head = base.architecture.head
    dense = {"depth": head.layers, "units": head.units, "context_frames": CONTEXTS[method]}
    network = {"name": "fully_connected", "bottleneck": None, "options": dense, **linear}
    return {"architecture": network, "train": {"init_from": None}}


def _frozen(source: ArchitectureConfig, freeze: int | None) -> int:
    import torch

    from earmark.architectures import create

    options: dict[str, Any] = dict(source.options)
    with torch.device("meta"):
        stages = create(source.name, 2, source.width, source.bottleneck, **options).stages()
    if freeze is None:
        return len(stages) // 2
    if not 0 <= freeze <= len(stages):
        raise UserError(
            f"--freeze {freeze}: {source.name} has {len(stages)} stages ({', '.join(stages)}): give 0 to {len(stages)}"
        )
    return freeze
