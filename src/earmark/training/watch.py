"""What training tells on its way: the loss without waiting for the device at every step, rates, curves; its guards."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from earmark.config import TrainConfig
from earmark.errors import EarmarkError
from earmark.progress import Progress
from earmark.training.schedule import learning_rate

CURVE_POINTS = 200
LOSS_EVERY_STEPS = 10

Log = Callable[[str, Mapping[str, float | None]], None]


class Watch:
    """The loss, the rates and the curves of one training.

    Args:
        config: the run's; its batch size, learning rate.
        steps: how many the run has.
        device: where losses are.
        progress: told of steps, loss, rate.
        log: told of each point of the curves: (``train`` or ``validation``, figures by name).
    """

    def __init__(self, config: TrainConfig, steps: int, device: torch.device, progress: Progress, log: Log) -> None:
        self.config, self.steps, self.progress, self.log = config, steps, progress, log
        self.curves: dict[str, list[dict[str, Any]]] = {"train": [], "validation": []}
        self.loss_sum = torch.zeros((), device=device)
        self.loss_count = 0
        self.restart_rate(0, 0.0)

    def add(self, loss: Tensor) -> None:
        """Take the loss of a step; the device is not waited for."""
        self.loss_sum += loss
        self.loss_count += 1

    def restart_rate(self, step: int, waited_seconds: float) -> None:
        """Measure the rate from here on: after a step, when the loop has waited so long for batches."""
        self._rate_from = (step, time.perf_counter(), waited_seconds)

    def due(self, step: int) -> bool:
        """Whether something is to be told after a step."""
        return step % min(LOSS_EVERY_STEPS, self._point_every()) == 0 or step == self.steps

    def tell(self, step: int, waited_seconds: float) -> None:
        """Read the loss (the one place where the host waits for the device), tell it, add a point to the curves.

        Raises:
            EarmarkError: the loss is not finite.
        """
        loss = self.loss_sum.item() / self.loss_count
        rate = learning_rate(step - 1, self.steps, self.config)
        if not math.isfinite(loss):
            raise EarmarkError(
                f"the loss is {loss} at step {step} (learning rate {rate:.3g}): "
                "lower train.learning_rate or set train.precision to fp32"
            )
        now = time.perf_counter()
        from_step, from_time, from_waited = self._rate_from
        patches_per_s = (step - from_step) * self.config.batch_size / (now - from_time)
        data_wait = (waited_seconds - from_waited) / (now - from_time)
        self.progress.update(
            step, self.steps, "steps", loss=loss, patches_per_s=patches_per_s, data_wait_share=data_wait
        )
        if step % self._point_every() == 0 or step == self.steps:
            self._point("train", {"step": step, "loss": loss, "learning_rate": rate, "patches_per_s": patches_per_s})
            self.loss_sum.zero_()
            self.loss_count = 0
            self._rate_from = (step, now, waited_seconds)

    def validated(self, step: int, figures: Mapping[str, float | None]) -> None:
        """Add what was found on the validation part after a step."""
        self._point("validation", {"step": step, **figures})

    def state(self) -> dict[str, Any]:
        """What goes on after a restart, as plain JSON."""
        return {"curves": self.curves, "loss_sum": self.loss_sum.item(), "loss_count": self.loss_count}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, and log its curves again."""
        self.curves, self.loss_count = state["curves"], state["loss_count"]
        self.loss_sum.fill_(state["loss_sum"])
        for kind, points in self.curves.items():
            for point in points:
                self.log(kind, point)

    def _point(self, kind: str, point: dict[str, Any]) -> None:
        self.curves[kind].append(point)
        self.log(kind, point)

    def _point_every(self) -> int:
        """Steps between points of the training curve; the loss is read at each and, between them, every ten steps."""
        every = max(1, self.steps // CURVE_POINTS)
        return every if every < LOSS_EVERY_STEPS else every // LOSS_EVERY_STEPS * LOSS_EVERY_STEPS
