"""A dense head, trained on stored embeddings: the windows of all training clips, shuffled by (seed, step)."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from earmark.architectures.heads import DenseHead
from earmark.architectures.layers import Dense
from earmark.errors import EarmarkError, UserError
from earmark.progress import Progress
from earmark.training.budget import stated_steps
from earmark.training.optimiser import Optimiser
from earmark.training.schedule import learning_rate
from earmark.transfer.material import Fitted, Log, Material, better

CURVE_POINTS = 100


def fit_dense(material: Material, log: Log, progress: Progress) -> Fitted:
    """Train by ``train``'s optimiser, steps (or epochs), batch and rate, on values that are standardised meanwhile.

    The weights of the best validation point are kept (by mAP, then accuracy, then the later one), the last ones where
    there is no validation part.

    Raises:
        UserError: neither steps nor epochs are given.
        EarmarkError: the loss is not finite.
    """
    began = time.perf_counter()
    config, network = material.config, material.network
    steps = _steps(material)
    head = network.output
    assert isinstance(head, DenseHead)
    mean_E, std_E = material.spread()
    x_PE = torch.from_numpy((material.train.e_PE - mean_E) / std_E)
    y_NC, clip_P = torch.from_numpy(material.train_y_NC), torch.from_numpy(material.train.clip_P)
    assert network.last is not None
    if config.train.prior_bias:
        with torch.no_grad():
            network.last.bias.copy_(material.objective.prior_logits())
    optimiser = Optimiser(head, config.train)
    curves: dict[str, list[dict[str, Any]]] = {"train": [], "validation": []}
    kept, selected = _folded(head, mean_E, std_E), None
    losses: list[Tensor] = []
    pace, from_step, from_time = max(1, steps // CURVE_POINTS), 0, time.perf_counter()
    for step in range(steps):
        rate = learning_rate(step, steps, config.train)
        losses.append(_step(material, x_PE, y_NC, clip_P, step, optimiser, rate))
        done = step + 1
        if done % pace == 0 or done == steps:
            loss = float(torch.stack(losses).mean())
            losses.clear()
            if not math.isfinite(loss):
                raise EarmarkError(f"the loss is {loss} at step {done}: lower train.learning_rate")
            speed = (done - from_step) * config.train.batch_size / max(time.perf_counter() - from_time, 1e-9)
            from_step, from_time = done, time.perf_counter()
            curves["train"].append({"step": done, "loss": loss, "learning_rate": rate, "patches_per_s": speed})
            log("train", curves["train"][-1])
            progress.update(done, steps, "steps", loss=loss, patches_per_s=speed)
        if done in _validation_steps(steps, config.train.validate_every_share):
            weights = _folded(head, mean_E, std_E)
            figures = _validated(material, weights)
            point = None if figures is None else {"step": done, **figures}
            if point is not None:
                curves["validation"].append(point)
                log("validation", point)
            if point is None or better(point, selected):
                kept, selected = weights, point
            from_step, from_time = done, time.perf_counter()
    head.load_state_dict(kept)
    seen = steps * config.train.batch_size
    return Fitted(network.eval(), steps, time.perf_counter() - began, seen, curves, selected)


def _steps(material: Material) -> int:
    train = material.config.train
    steps = stated_steps(train, len(material.train.e_PE)) if train.minutes is None else None
    if steps is None:
        raise UserError("a dense head on stored embeddings goes by steps: give train.steps or train.epochs")
    return steps


def _step(
    material: Material, x_PE: Tensor, y_NC: Tensor, clip_P: Tensor, step: int, optimiser: Optimiser, rate: float
) -> Tensor:
    """One step; its batch and what dropout draws follow from the seed and the step alone."""
    config, network = material.config, material.network
    random = np.random.default_rng([config.seed, step])
    at_B = torch.from_numpy(random.integers(0, len(x_PE), config.train.batch_size))
    torch.manual_seed(int(random.integers(2**62)))
    network.output.train()
    network.dropout.train()
    logits_BC = network.output(network.dropout(x_PE[at_B]))
    loss = material.objective.loss(logits_BC, y_NC[clip_P[at_B]])
    torch.autograd.backward(loss)
    optimiser.step(rate)
    return loss.detach()


def _folded(head: DenseHead, mean_E: Any, std_E: Any) -> dict[str, Tensor]:
    """The head's weights with the standardisation of its inputs folded into the first layer."""
    weights = {name: tensor.clone() for name, tensor in head.state_dict().items()}
    name = next(name for name, module in head.named_modules() if isinstance(module, Dense))
    weight = weights[f"{name}.weight"].double() / torch.from_numpy(std_E).double()
    shift = weight @ torch.from_numpy(mean_E).double()
    weights[f"{name}.bias"] = (weights[f"{name}.bias"].double() - shift).float()
    weights[f"{name}.weight"] = weight.float()
    return weights


def _validated(material: Material, weights: dict[str, Tensor]) -> dict[str, float | None] | None:
    """Figures of the head with other weights; it keeps its own."""
    network = material.network
    own = {name: tensor.clone() for name, tensor in network.output.state_dict().items()}
    network.output.load_state_dict(weights)
    network.eval()
    figures = material.validate(network)
    network.output.load_state_dict(own)
    return figures


def _validation_steps(steps: int, share: float) -> set[int]:
    """After which steps the validation part is scored; the last is among them."""
    times = max(1, round(1 / share))
    return {max(1, round(steps * number / times)) for number in range(1, times + 1)}
