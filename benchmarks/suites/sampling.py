"""How evenly batches draw, that they are the same after a restart and for any number of processes, and the wait."""

from __future__ import annotations

import hashlib
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.harness import Figure
from benchmarks.stored import BATCH, Corpus, mapped, write_shards
from earmark.architectures import create
from earmark.config import make_config
from earmark.training.batches import Ahead, Batches, dequantise
from earmark.training.distributed import World

TITLE = "Class mix of batches, the same batches after a restart, and the wait for them"
LABELS, CLIP_ROWS = 50, 500
BEGUN = 1_000
"""The step that a restarted training goes on from."""
SHUFFLE_BUFFER = 5_000
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "modern": ("modern", {}),
    "paper": ("paper", {"train": {"steps": 1}, "augment": {"random_offset": True}}),
}


def measure(full: bool) -> Iterator[Figure]:
    """Deviation of the mix from 1, batches that differ, and the share of a step that waits."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_shards(Path(folder), "uint8", 1, LABELS * 40 * CLIP_ROWS)[0]
        yield from _mixing(path, *((2_000, 5) if full else (400, 3)))
        yield _restarted(path, 64 if full else 16, (1, 2, 4) if full else (1, 2))
        yield from _waiting(path, *((200, 7) if full else (40, 3)))


def _batches(path: Path, preset: str, seed: int = 0) -> Batches:
    base, changes = CONFIGS[preset]
    # Random bytes have no silence to be scanned for.
    train = {**changes.get("train", {}), "max_silent_share": 1.0}
    config = make_config(base, {**changes, "train": train, "seed": seed})
    data: Any = Corpus(mapped([path], "uint8"), LABELS, CLIP_ROWS)
    return Batches(data, config)


def _mixing(path: Path, batches: int, seeds: int) -> Iterator[Figure]:
    """chi2/dof of how often each class is in a batch, against drawing uniformly: 1 is perfect."""
    ours, buffered = [], []
    for seed in range(seeds):
        made = _batches(path, "paper", seed)
        label_K = np.array([clip.labels[0] for clip in made.clips])
        ours.append(_chi2([label_K[made.sampler.batch(step)[0]] for step in range(batches)]))
        buffered.append(_chi2(_shuffled(np.repeat(np.arange(LABELS), 4_000), batches, seed)))
    off = tuple(abs(value - 1) for value in ours)
    yield Figure(
        "sampling/mix", "chi2/dof of the class mix, distance from 1", off, "", "less", goal=9, floor=0.1, wanted=0.1,
        note=f"chi2/dof {np.median(ours):.3f}; with a shuffle buffer of {SHUFFLE_BUFFER:,} {np.median(buffered):.1f}",
    )  # fmt: skip


def _chi2(labels_NB: list[np.ndarray]) -> float:
    expected = BATCH / LABELS
    counts_NC = np.array([np.bincount(label_B, minlength=LABELS) for label_B in labels_NB])
    return float((((counts_NC - expected) ** 2 / expected).sum(1) / (LABELS - 1)).mean())


def _shuffled(label_P: np.ndarray, batches: int, seed: int) -> list[np.ndarray]:
    """Batches from a shuffle buffer over patches in the order of their storage."""
    rng, buffer, drawn = np.random.default_rng(seed), label_P[:SHUFFLE_BUFFER].copy(), []
    for label in label_P[SHUFFLE_BUFFER : SHUFFLE_BUFFER + batches * BATCH]:
        at = rng.integers(SHUFFLE_BUFFER)
        drawn.append(buffer[at])
        buffer[at] = label
    whole = len(drawn) // BATCH
    return list(np.array(drawn[: whole * BATCH]).reshape(whole, BATCH))


def digests(path: Path, rank: int, size: int, start: int, steps: int) -> list[list[str]]:
    """Of each batch from a step on, digests of the rows that one of so many processes trains on."""
    found = []
    rows = World(rank, size, torch.device("cpu")).rows(BATCH)
    for batch in Ahead(_batches(path, "modern"), pin=False)(start, start + steps):
        x_BX, y_BX = (t.numpy().reshape(BATCH, -1) for t in (batch.x_BTF, batch.y_BC))
        found.append([hashlib.sha256(x_BX[row].tobytes() + y_BX[row].tobytes()).hexdigest() for row in rows])
    return found


def _restarted(path: Path, steps: int, sizes: tuple[int, ...]) -> Figure:
    """How many batches differ between a training that came to a step, and new processes that go on from it."""
    expected = digests(path, 0, 1, BEGUN - steps, 2 * steps)[steps:]
    differing = 0
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        for size in sizes:
            parts = [pool.submit(digests, path, rank, size, BEGUN, steps) for rank in range(size)]
            joined = [[*chain(*rows)] for rows in zip(*(part.result() for part in parts), strict=True)]
            differing += sum(one != other for one, other in zip(expected, joined, strict=True))
    told = ", ".join(map(str, sizes))
    return Figure(
        "sampling/restart", f"batches that differ after a restart with {told} processes", (float(differing),),
        "batches", "less", goal=9, floor=0.0, wanted=0.0, note=f"of {steps * len(sizes)}, from step {BEGUN:,} on",
    )  # fmt: skip


def _waiting(path: Path, steps: int, rounds: int) -> Iterator[Figure]:
    """Share of a training step that waits for its batch: the smallest and fastest network, full width, fp32."""
    network: nn.Module = create("fully_connected", LABELS)
    optimiser = torch.optim.SGD(network.parameters(), 1e-6)
    for preset in CONFIGS:
        made, shares, step_ms = _batches(path, preset), [], 0.0
        for round_ in range(rounds):
            ahead = Ahead(made, pin=False)
            batches = ahead(round_ * steps, (round_ + 1) * steps)
            next(batches)  # nothing can be made before it was asked for
            first, started = ahead.waited_seconds, time.perf_counter()
            for batch in batches:
                logits_BC = network(dequantise(batch.x_BTF, made.frames.spec))
                nn.functional.binary_cross_entropy_with_logits(logits_BC, batch.y_BC).backward()
                optimiser.step()
            spent = time.perf_counter() - started
            shares.append(100 * (ahead.waited_seconds - first) / spent)
            step_ms = 1000 * spent / (steps - 1)
        yield Figure(
            f"sampling/wait/{preset}", f"share of a step of the fastest network that waits, preset {preset}",
            tuple(shares), "%", "less", goal=13, floor=2.0, wanted=0.5, note=f"of {step_ms:.1f} ms",
        )  # fmt: skip
