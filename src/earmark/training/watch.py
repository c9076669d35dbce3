"""What training tells on its way: the loss without waiting for the device at every step, rates, curves; its guards."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from earmark.config import TrainConfig
from earmark.errors import EarmarkError
from earmark.progress import Progress
from earmark.training.schedule import learning_rate

CURVE_POINTS = 200
TELL_SECONDS = 1.0
LOSSES_HELD = 1024
"""Losses kept on the device at most; reading them waits for it."""
NAMED_CLIPS = 8
"""Clips of a bad batch that the error itself names."""
AT_CHANCE = 0.99
"""A loss above this part of the way from the least possible to chance's has not left it: batches vary by less."""

Log = Callable[[str, Mapping[str, float | None]], None]


class Watch:
    """The loss, the rates and the curves of one training.

    Args:
        config: the run's; its batch size, learning rate.
        device: where losses are.
        chance: the loss of a network that has learned nothing but how often each label comes.
        clips_of: the ids of the clips in the batch of a step (from 0).
        progress: told of steps, loss, rate, warned.
        log: told of each point of the curves: (``train`` or ``validation``, figures by name).
        least: the loss that smoothed targets leave to the best of networks.
    """

    def __init__(
        self,
        config: TrainConfig,
        device: torch.device,
        chance: float,
        clips_of: Callable[[int], Sequence[str]],
        progress: Progress,
        log: Log,
        least: float = 0.0,
    ) -> None:
        self.config, self.device, self.clips_of = config, device, clips_of
        self.chance, self.least = chance, least
        self.progress, self.log = progress, log
        self.curves: dict[str, list[dict[str, Any]]] = {"train": [], "validation": []}
        self._losses = torch.zeros(LOSSES_HELD, device=device)
        self._unread = 0
        self._read_to = 0
        self._loss_sum, self._loss_count = 0.0, 0

    def begin(self, steps: int) -> None:
        """Training goes on now, to so many steps in all."""
        self.steps = steps
        self._told_at = time.perf_counter()
        self.restart_rate(0.0)

    def add(self, loss: Tensor) -> None:
        """Take the loss of a step; the device is not waited for."""
        if self._unread == LOSSES_HELD:
            self.read()
        self._losses[self._unread] = loss
        self._unread += 1

    def read(self) -> None:
        """Fetch the losses since the last time: here alone the host waits for the device.

        Raises:
            EarmarkError: one is not finite; with the step of the first.
        """
        losses, self._unread = self._losses[: self._unread].tolist(), 0
        for loss in losses:
            self._read_to += 1
            if not math.isfinite(loss):
                raise self.not_finite(self._read_to, f"the loss is {loss} at")
            # Added one by one: when they are read must not change how their sum rounds.
            self._loss_sum += loss
            self._loss_count += 1

    def not_finite(self, step: int, what: str) -> EarmarkError:
        """The error for a step (from 1) with which numbers ceased to be finite; all its clips are told first."""
        clips = self.clips_of(step - 1)
        self.progress.note(f"the batch of step {step} held the clips {', '.join(clips)}")
        named = ", ".join(clips[:NAMED_CLIPS]) + (f" and {len(clips) - NAMED_CLIPS} more" * (len(clips) > NAMED_CLIPS))
        rate = learning_rate(step - 1, self.steps, self.config)
        return EarmarkError(
            f"{what} step {step} (learning rate {rate:.3g}; clips of its batch: {named}): lower train.learning_rate, "
            "set train.precision to fp32, or look at these clips; the checkpoints before it are kept"
        )

    def restart_rate(self, waited_seconds: float) -> None:
        """Measure the rate from here on, when the loop has waited so long for batches."""
        self._rate_from = (self._step, time.perf_counter(), waited_seconds)

    def due(self) -> bool:
        """Whether something is to be told: a point of the curve, or a second has passed."""
        return self._at_point() or time.perf_counter() - self._told_at >= TELL_SECONDS

    def tell(self, waited_seconds: float) -> None:
        """Tell of the loss and the rates; at every so many steps, add a point to the curves.

        Raises:
            EarmarkError: the loss is not finite.
        """
        self.read()
        step, now = self._step, time.perf_counter()
        self._told_at = now
        from_step, from_time, from_waited = self._rate_from
        figures = {
            "loss": self._loss_sum / self._loss_count,
            "patches_per_s": (step - from_step) * self.config.batch_size / (now - from_time),
            "data_wait_share": (waited_seconds - from_waited) / (now - from_time),
        }
        if self.device.type == "cuda":
            figures["gpu_memory_gib"] = torch.cuda.max_memory_allocated(self.device) / 2**30
        self.progress.update(step, self.steps, "steps", **figures)
        if self._at_point():
            rate = learning_rate(step - 1, self.steps, self.config)
            told = {name: figures[name] for name in ("loss", "patches_per_s")}
            self._point("train", {"step": step, "learning_rate": rate, **told})
            self._loss_sum, self._loss_count = 0.0, 0
            self._rate_from = (step, now, waited_seconds)
            self._warn_at_chance()

    def validated(self, figures: Mapping[str, float | None]) -> dict[str, Any]:
        """Add what was found on the validation part after this step to the curves; the point."""
        point = {"step": self._step, **figures}
        self._point("validation", point)
        return point

    def state(self) -> dict[str, Any]:
        """What goes on after a restart, as plain JSON that later steps do not change; call :meth:`read` before."""
        assert self._unread == 0
        curves = {kind: list(points) for kind, points in self.curves.items()}
        return {"curves": curves, "loss_sum": self._loss_sum, "loss_count": self._loss_count}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's state, and log its curves again."""
        self.curves = {kind: list(points) for kind, points in state["curves"].items()}
        self._loss_sum, self._loss_count = state["loss_sum"], state["loss_count"]
        self._read_to, self._unread = state["step"], 0
        for kind, points in self.curves.items():
            for point in points:
                self.log(kind, point)

    @property
    def _step(self) -> int:
        """How many steps are done."""
        return self._read_to + self._unread

    def _at_point(self) -> bool:
        return self._step % max(1, self.steps // CURVE_POINTS) == 0 or self._step == self.steps

    def _point(self, kind: str, point: dict[str, Any]) -> None:
        self.curves[kind].append(point)
        self.log(kind, point)

    def _warn_at_chance(self) -> None:
        """Warn once, at the first point after so many steps, if the loss of their last quarter is still at chance."""
        after, points = self.config.chance_after_steps, self.curves["train"]
        before = points[-2]["step"] if len(points) > 1 else 0
        if after is None or not before < after <= points[-1]["step"]:
            return
        late = [point["loss"] for point in points if point["step"] > after - after // 4]
        loss = sum(late) / len(late)
        if loss > self.least + AT_CHANCE * (self.chance - self.least):
            self.progress.note(
                f"warning: after {points[-1]['step']} steps the loss is {loss:.4g} and that of merely saying how often "
                f"each label comes is {self.chance:.4g}: nothing was learned yet. Check that the labels fit the clips, "
                f"try train.learning_rate ten times lower and higher than {self.config.learning_rate:g}, and fewer "
                "augmentations; train.chance_after_steps says when this is looked at"
            )
