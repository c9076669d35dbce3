"""What a training's result depends on, as every checkpoint tells it, compared before another run goes on from one.

Imports no torch.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from earmark.config import Config, TrainConfig, digest
from earmark.errors import UserError
from earmark.store import MissingObject, open_store

OPERATIONAL = (
    "checkpoint_every_seconds",
    "keep_checkpoints",
    "max_restarts",
    "resume_from",
    "chance_after_steps",
    "resident_share",
)
"""Fields of ``train`` that change how a run is looked after, not what comes of it."""

SCHEMA_VERSION = 2
"""Of checkpoints: raised when what they hold changes."""


def lasting(config: Config) -> Config:
    """The config with all that does not change the result at its default."""
    plain = {name: TrainConfig.model_fields[name].default for name in OPERATIONAL}
    return config.model_copy(update={"train": config.train.model_copy(update=plain)})


def trained_on(config: Config) -> dict[str, BaseModel]:
    """The parts of the tree that training reads."""
    plain = lasting(config)
    names = ("features", "architecture", "augment", "train", "evaluate")
    return {name: getattr(plain, name) for name in names}


def origin(config: Config, dataset: str) -> dict[str, Any]:
    """What every checkpoint says of where it comes from: plain JSON.

    Args:
        config: of the variant.
        dataset: the dataset's digest.
    """
    values = {"seed": config.seed, **{name: part.model_dump() for name, part in trained_on(config).items()}}
    values = json.loads(json.dumps(values))
    return {
        "config": values,
        "config_digest": digest(values),
        "dataset": dataset,
        "random": "batches, augmentation and dropout of a step are functions of config.seed and the step",
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("earmark", "torch")},
        },
    }


def check_resume(path: str, mine: Mapping[str, Any]) -> None:
    """Whether a run may go on from the checkpoint in a folder.

    Args:
        path: folder of the checkpoint, ``…/checkpoints/step-00000400``, in any store.
        mine: the run's :func:`origin`.

    Raises:
        UserError: there is none, or it was made with another config (with every field that differs) or other data.
    """
    theirs = read_marker(path)["origin"]
    leave_out = "leave --resume-from (train.resume_from) out to train from nothing"
    differing = list(_differences(theirs["config"], mine["config"]))
    if differing:
        raise UserError(
            f"train.resume_from: {path} was trained with another config, {', '.join(differing)}: "
            f"give the values of the checkpoint, or {leave_out}"
        )
    if theirs["dataset"] != mine["dataset"]:
        raise UserError(
            f"train.resume_from: {path} was trained on other data (dataset {theirs['dataset']} there, "
            f"{mine['dataset']} here): give --data and the data.* values of that run, or {leave_out}"
        )


def read_marker(path: str) -> dict[str, Any]:
    """What ``done.json`` in a checkpoint's folder says.

    Raises:
        UserError: there is none that this version reads.
    """
    try:
        marker: dict[str, Any] = json.loads(open_store(path).get("done.json"))
        version = marker["schema_version"]
    except MissingObject:
        raise UserError(
            f"train.resume_from: there is no checkpoint in {path} (no done.json): give the folder of one, as in "
            "results/train_model/KEY/checkpoints/step-00000400"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"train.resume_from: done.json in {path} is damaged: give another checkpoint") from None
    if version != SCHEMA_VERSION:
        raise UserError(
            f"train.resume_from: {path} is of schema {version} where this version reads {SCHEMA_VERSION}: "
            "resume it with the version that wrote it"
        )
    return marker


def _differences(there: Mapping[str, Any], here: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """``train.steps (400 there, 600 here)`` for each leaf that differs."""
    for name in sorted({*there, *here}):
        theirs, ours = there.get(name), here.get(name)
        if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
            yield from _differences(theirs, ours, f"{path}{name}.")
        elif theirs != ours:
            yield f"{path}{name} ({theirs!r} there, {ours!r} here)"
