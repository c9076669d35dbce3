"""The learning rate as a plain function of the step."""

from __future__ import annotations

import math

from earmark.config import TrainConfig


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """The rate of a step (0 to ``steps`` - 1).

    It rises linearly over ``warmup_share`` of the run, then stays (``constant``), is divided by ``drop_factor`` from
    ``drop_at`` of the run on (``late_drop``), or falls as half a cosine towards zero (``cosine``).
    """
    warmup = round(config.warmup_share * steps)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    if config.schedule == "cosine":
        return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
    if config.schedule == "late_drop" and step >= config.drop_at * steps:
        return config.learning_rate / config.drop_factor
    return config.learning_rate
