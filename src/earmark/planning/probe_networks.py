"""Rates of one network on this machine: training steps, validation, evaluation."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from earmark.catalog import Dataset
from earmark.config import Config
from earmark.evaluation.model import Model, score_clip
from earmark.features import MEL_BANDS, PATCH_FRAMES, SAMPLE_RATE
from earmark.planning.rates import NetworkRates
from earmark.planning.sizes import Corpus
from earmark.progress import Progress
from earmark.store import open_store
from earmark.training.batches import Ahead, eligible
from earmark.training.checkpoint import Checkpoints
from earmark.training.loop import Trainer
from earmark.training.precision import faster_precision

ROUNDS = 3
WARM_STEPS, LEAST_SECONDS = 2, 1.5
SILENT = Progress("plan", mode="off")

Clock = Callable[[], float]


def network_rates(dataset: Dataset, config: Config, corpus: Corpus) -> NetworkRates:
    """Training steps, validation and evaluation of one network."""
    train = config.train
    size = batch_of(dataset, config)
    plain = {"steps": 10**6, "epochs": None, "minutes": None, "batch_size": size, "micro_batch_size": None}
    config = config.model_copy(update={"train": train.model_copy(update=plain)})
    with tempfile.TemporaryDirectory(prefix="earmark-plan-") as folder:
        checkpoints = Checkpoints(open_store(folder), "probe", 1, SILENT.note)
        trainer = Trainer(dataset, config, checkpoints, SILENT, lambda *_: None)
    if trainer.precision == "auto":
        trainer.precision = faster_precision(trainer.network, trainer.device, partial(_backward, trainer))
    trainer.network.train()
    trainer.watch.begin(trainer.steps)
    times: list[float] = []
    ahead = Ahead(trainer.batches, pin=trainer.device.type == "cuda")
    started = time.perf_counter()
    for batch in ahead(0, 10**6):
        began = time.perf_counter()
        trainer.train_step(batch)
        _wait(trainer)
        times.append(time.perf_counter() - began)
        enough = time.perf_counter() - started >= LEAST_SECONDS
        if len(times) >= WARM_STEPS + 2 and (enough or len(times) >= 100):
            break
    x_PTF = torch.zeros(128, PATCH_FRAMES, MEL_BANDS, dtype=torch.uint8)

    def predict() -> None:
        trainer.predict(x_PTF)
        _wait(trainer)

    predicted = best(predict, 2)
    windows, scored = _scored(trainer, dataset, config, corpus)
    return NetworkRates(
        train=size / float(np.median(times[WARM_STEPS:])), predict=128 / predicted, score=windows / scored
    )


def _scored(trainer: Trainer, dataset: Dataset, config: Config, corpus: Corpus) -> tuple[int, float]:
    """Windows of a clip, of up to sixteen seconds, and what scoring it takes."""
    network = trainer.network.eval()
    model = Model(network, tuple(dataset.labels), config.features, config.evaluate, {}, trainer.objective.output)
    rows = max(PATCH_FRAMES, int(min(corpus.seconds, 16.0) * SAMPLE_RATE / 160))
    frames_TF = np.random.default_rng(0).integers(60, 200, (rows, MEL_BANDS)).astype(config.features.storage)
    windows = len(score_clip(model, frames_TF).patch_scores_PC)
    return windows, best(lambda: score_clip(model, frames_TF), ROUNDS)


def _backward(trainer: Trainer, network: Any, precision: str, size: int) -> None:
    x_BTF = torch.zeros(size, PATCH_FRAMES, MEL_BANDS, device=trainer.device)
    y_BC = torch.zeros(size, len(trainer.labels), device=trainer.device)
    trainer.forward_backward_step(network, precision, x_BTF, y_BC)


def _wait(trainer: Trainer) -> None:
    if trainer.device.type == "cuda":
        torch.cuda.synchronize(trainer.device)


def batch_of(dataset: Dataset, config: Config) -> int:
    """Patches in a batch: those that the config says, or all that there are."""
    return min(config.train.batch_size, len(eligible(dataset, config)))


def best(work: Callable[[], Any], rounds: int, clock: Clock = time.perf_counter) -> float:
    """Seconds of the fastest of so many rounds, after one that is not counted.

    By processor time what one thread does alone, by wall time what several threads or the disk do.
    """
    work()
    times = []
    for _ in range(rounds):
        began = clock()
        work()
        times.append(clock() - began)
    return min(times)
