"""Learning-rate range test: a fresh network trained for a moment while its rate rises from far too low to far too high.

The rate to train with is in the middle of the fall: below, steps are wasted; above, the loss soon rises instead. The
middle is where half of the fall is done, not where one step falls most: that is as often noise.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

from earmark.catalog import Dataset
from earmark.config import Config
from earmark.features import MEL_BANDS, PATCH_FRAMES
from earmark.progress import Progress
from earmark.store import open_store
from earmark.training.batches import Ahead
from earmark.training.checkpoint import Checkpoints
from earmark.training.initial import keep_initial
from earmark.training.loop import Trainer
from earmark.training.precision import faster_precision

LOWEST, HIGHEST = 1e-6, 1.0
RANGE_STEPS = 100
SMOOTHED_STEPS = 4.0
"""Width of the window that losses are averaged over, to either side: batches differ by more than the rate does."""
DIVERGED = 2.0
"""The test ends where the smoothed loss is this many times the lowest."""


@dataclass(frozen=True)
class RangeTest:
    """What a range test found."""

    learning_rates: list[float]
    losses: list[float]
    """Of each step, before its weights were changed."""
    smoothed: list[float]
    suggested: float | None
    """The rate to train with; None where the loss fell nowhere."""
    reason: str


def learning_rate_range(dataset: Dataset, config: Config, progress: Progress) -> RangeTest:
    """Train a network as ``config`` says for 100 steps, the rate rising by the same factor each step.

    Args:
        dataset: whose training part is drawn from.
        config: of one network; its schedule, its number of steps and its average of weights play no part.
        progress: told of steps and losses.

    Raises:
        UserError: as training.
    """
    plain = {"steps": RANGE_STEPS, "epochs": None, "minutes": None, "ema_share": 0.0, "select": "last"}
    with tempfile.TemporaryDirectory(prefix="earmark-") as folder:
        store = open_store(folder)
        config = keep_initial(store, config.model_copy(update={"train": config.train.model_copy(update=plain)}))
        trainer = Trainer(dataset, config, Checkpoints(store, "range", 1, progress.note), progress, lambda *_: None)
    precision: str = config.train.precision
    if precision == "auto":
        precision = faster_precision(trainer.network, trainer.device, partial(_probe, trainer))
    trainer.network.train()
    rates, losses = rising_rates(), []
    for step, batch in enumerate(Ahead(trainer.batches, pin=trainer.device.type == "cuda")(0, RANGE_STEPS)):
        torch.manual_seed(config.seed + step)
        x_BTF, y_BC = trainer.batch(batch)
        losses.append(trainer.forward_backward_step(trainer.network, precision, x_BTF, y_BC).item())
        trainer.optimiser.step(rates[step])
        progress.update(step + 1, RANGE_STEPS, "steps", learning_rate=rates[step], loss=losses[-1])
        if not math.isfinite(losses[-1]) or smooth(losses)[-1] > DIVERGED * min(smooth(losses)):
            break
    losses = [loss for loss in losses if math.isfinite(loss)]
    return judge(rates[: len(losses)], losses)


def _probe(trainer: Trainer, network: nn.Module, precision: str, size: int) -> None:
    x_BTF = torch.zeros(size, PATCH_FRAMES, MEL_BANDS, device=trainer.device)
    trainer.forward_backward_step(
        network, precision, x_BTF, torch.zeros(size, len(trainer.labels), device=trainer.device)
    )


def rising_rates() -> list[float]:
    """The rate of each step, evenly spaced in its logarithm."""
    return [float(rate) for rate in np.geomspace(LOWEST, HIGHEST, RANGE_STEPS)]


def smooth(losses: Sequence[float]) -> list[float]:
    """Each loss averaged with those around it, weights falling as a bell: no delay, as a running mean would have."""
    step_N = np.arange(len(losses))
    weight_NN = np.exp(-0.5 * ((step_N[:, None] - step_N) / SMOOTHED_STEPS) ** 2)
    return [float(loss) for loss in weight_NN @ np.asarray(losses) / weight_NN.sum(axis=1)]


def judge(rates: Sequence[float], losses: Sequence[float]) -> RangeTest:
    """The rate in the middle of the smoothed loss's fall, and what speaks for it."""
    smoothed = smooth(losses)
    suggested, reason = None, "the loss fell nowhere: the test says nothing of this network on these data"
    lowest = int(np.argmin(smoothed))
    # Noise alone moves the smoothed loss by about this much.
    spread = np.asarray(losses[: lowest + 1]) - smoothed[: lowest + 1]
    noise = float(np.std(spread)) / math.sqrt(2 * math.sqrt(math.pi) * SMOOTHED_STEPS)
    before = float(np.median(smoothed[: lowest // 2 + 1]))
    if before - smoothed[lowest] > 3 * noise:
        middle = int(np.argmax(np.asarray(smoothed) <= (before + smoothed[lowest]) / 2))
        suggested = float(f"{rates[middle]:.1e}")
        reason = (
            f"the middle of the loss's fall from {before:.3g} to {smoothed[lowest]:.3g}, which it reaches at "
            f"{rates[lowest]:.1e}"
        )
    return RangeTest(list(rates), list(losses), smoothed, suggested, reason)
