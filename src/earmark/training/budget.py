"""How many steps a run has: as given, by epochs, or as many as fit some minutes, measured at the first start."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import torch

from earmark.config import TrainConfig
from earmark.features import MEL_BANDS, PATCH_FRAMES
from earmark.training.batches import Ahead
from earmark.training.state import collect, restore
from earmark.training.validate import PATCHES_AT_ONCE

if TYPE_CHECKING:
    from earmark.training.loop import Trainer

WARM_UP_STEPS = 3
TIMED_STEPS = 8
ANY_STEPS = 1_000_000
"""Stands for the run's length while it is not known: the rate of the measured steps does not matter."""


def stated_steps(train: TrainConfig, patches: int) -> int | None:
    """The steps of a run that does not go by minutes.

    Args:
        train: with one of its budgets set.
        patches: how many are eligible: an epoch.
    """
    if train.epochs is not None:
        return math.ceil(train.epochs * patches / train.batch_size)
    return train.steps


def measured_steps(trainer: Trainer) -> int:
    """The steps that fit ``train.minutes`` together with their validation; the trainer is left as it was.

    A few real steps are done and taken back. What the measurement takes counts as well.
    """
    train, started = trainer.config.train, time.perf_counter()
    assert train.minutes is not None
    trainer.watch.begin(ANY_STEPS)
    before, trainer.steps = collect(trainer), ANY_STEPS
    ahead = Ahead(trainer.batches, pin=trainer.device.type == "cuda")
    steps_from = started
    for number, batch in enumerate(ahead(0, WARM_UP_STEPS + TIMED_STEPS)):
        if number == WARM_UP_STEPS:
            steps_from = _now(trainer)
        trainer.train_step(batch)
    step_seconds = (_now(trainer) - steps_from) / TIMED_STEPS
    validation_seconds = _validation_seconds(trainer)
    restore(trainer, before)
    validations = math.ceil(1 / train.validate_every_share)
    left = train.minutes * 60 - (_now(trainer) - started) - validations * validation_seconds
    return max(1, int(left / step_seconds))


def _validation_seconds(trainer: Trainer) -> float:
    """What scoring the validation part takes, from one of its parts of so many patches."""
    x_PTF = torch.zeros(PATCHES_AT_ONCE, PATCH_FRAMES, MEL_BANDS, dtype=torch.uint8)
    trainer.predict(x_PTF)
    started = _now(trainer)
    trainer.predict(x_PTF)
    return (_now(trainer) - started) * len(trainer.validation.mine_P) / PATCHES_AT_ONCE


def _now(trainer: Trainer) -> float:
    if trainer.device.type == "cuda":
        torch.cuda.synchronize(trainer.device)
    return time.perf_counter()
