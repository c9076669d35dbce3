"""Starting from a trained network: what ``train.init_from`` names, checked, kept in the store, and loaded.

The weights are copied into the store under their digest before training begins, and ``train.init_from`` becomes that
place: so they are part of the result's key, and a worker that is started again, wherever, finds the same ones. Imports
torch only where weights are loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.config import ArchitectureConfig, Config, digest
from earmark.errors import UserError
from earmark.store import Store
from earmark.store.tensors import check_safetensors

if TYPE_CHECKING:
    from torch import Tensor

    from earmark.architectures import Network

WEIGHTS, DOCUMENT = "weights.safetensors", "model.json"
SHAPE = ("name", "width", "bottleneck", "options")
"""What of ``architecture`` decides which weights a trunk has."""
HEAD = "output."
"""What the names of a head's weights begin with."""


def keep_initial(store: Store, config: Config, package: Path | None = None) -> Config:
    """The config with ``train.init_from`` a place in the store that holds what it named; as it is without one.

    Args:
        store: where the training's result will lie.
        config: of the variant.
        package: the folder that ``train.init_from`` stands for, where it is not one itself (a registered model).

    Raises:
        UserError: it is no model's folder, its weights are no safetensors, or it is of another architecture or other
            features than the config's; or stages are to be frozen and there is nothing to start from.
    """
    named, frozen = config.train.init_from, config.train.freeze_stages
    if named is None:
        if frozen:
            raise UserError(
                f"train.freeze_stages is {frozen} and train.init_from names no trained network: freezing fresh weights "
                "trains nothing; give train.init_from, or set train.freeze_stages to 0"
            )
        return config
    folder = package or Path(named).expanduser()
    document = _read_document(named, folder)
    _check(named, document, config)
    weights = (folder / WEIGHTS).read_bytes()
    facts = {name: document[name] for name in ("architecture", "labels", "features")}
    place = f"initial/{digest([hashlib.sha256(weights).hexdigest(), facts])}"
    store.put(f"{place}/{WEIGHTS}", weights)
    store.put(f"{place}/{DOCUMENT}", json.dumps(facts, sort_keys=True, ensure_ascii=False).encode())
    return config.model_copy(update={"train": config.train.model_copy(update={"init_from": place})})


def load_initial(network: Network, store: Store, place: str, labels: list[str]) -> str:
    """Give a network the weights at a place in the store: its trunk, and its head where labels and head are the same.

    Args:
        network: fresh, of the architecture that the weights are of.
        store: the training's.
        place: what :func:`keep_initial` made of ``train.init_from``.
        labels: names of the network's outputs, in order.

    Returns:
        What was done, in a line.
    """
    from safetensors.torch import load

    weights = load(store.get(f"{place}/{WEIGHTS}"))
    same = json.loads(store.get(f"{place}/{DOCUMENT}"))["labels"] == labels
    fits = _heads(weights) == _heads(network.state_dict())
    if not (same and fits):
        weights = {name: tensor for name, tensor in weights.items() if not name.startswith(HEAD)}
    missing, unexpected = network.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(name.startswith(HEAD) for name in missing)
    if not same:
        return f"starting from trained weights ({place}), a fresh head: its labels are others"
    if not fits:
        return f"starting from trained weights ({place}), a fresh head: it is another kind or size than theirs"
    return f"starting from trained weights ({place}), the head too: its labels are the same"


def _heads(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a head's weights."""
    return {name: tuple(tensor.shape) for name, tensor in weights.items() if name.startswith(HEAD)}


def _read_document(named: str, folder: Path) -> dict[str, Any]:
    for name in (WEIGHTS, DOCUMENT):
        if not (folder / name).is_file():
            raise UserError(
                f"train.init_from is {named!r} but there is no {name} in {folder.absolute()}: give the folder of a "
                "model's package, or models:/NAME@champion or models:/NAME/3 for a registered one"
            )
    try:
        document: dict[str, Any] = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        ArchitectureConfig.model_validate(document["architecture"])
        _ = document["labels"], document["features"]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"train.init_from: {DOCUMENT} in {folder.absolute()} does not describe a model") from None
    check_safetensors(folder / WEIGHTS)
    sealed = document.get("weights_sha256")
    with (folder / WEIGHTS).open("rb") as file:
        if sealed is not None and hashlib.file_digest(file, "sha256").hexdigest() != sealed:
            raise UserError(f"train.init_from: {folder / WEIGHTS} was altered: its sha256 differs from {DOCUMENT}'s")
    return document


def _check(named: str, document: dict[str, Any], config: Config) -> None:
    from earmark.architectures import complete_options

    theirs, ours = ArchitectureConfig.model_validate(document["architecture"]), config.architecture

    def shape(of: ArchitectureConfig) -> dict[str, Any]:
        return {**{name: getattr(of, name) for name in SHAPE}, "options": complete_options(of.name, of.options)}

    differing = _differing("architecture", shape(theirs), shape(ours))
    if differing:
        raise UserError(f"train.init_from: {named} is another network, {differing}: set architecture as it is there")
    differing = _differing("features", document["features"], config.features.model_dump())
    if differing:
        raise UserError(
            f"train.init_from: {named} was trained on other features, {differing}: set features as they are there"
        )


def _differing(part: str, there: dict[str, Any], here: dict[str, Any]) -> str:
    """``architecture.width (0.5 there, 1.0 here), …`` of what differs."""
    names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
    return ", ".join(f"{part}.{name} ({there.get(name)} there, {here.get(name)} here)" for name in names)
