"""The way from stored frames to batches: warm, cold, beside a training step, and how evenly it draws.

python benchmarks/loader.py [--megabytes 1024] [--folder DIR] [--rounds 5]

Warm rates are for one core. Cold ones come from a file whose pages were dropped (``posix_fadvise``), each way on
its own part of one epoch, as a share of the same file's sequential rate in the same run; DIR must be on that disk.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from earmark.architectures import create
from earmark.config import FeatureSpec, make_config
from earmark.features import FrameStore
from earmark.training.batches import HINTED_PATCHES, Ahead, Batches, dequantise
from earmark.training.sampler import permute

BATCH = 128


class Corpus:
    """Clips of one label each, stored label by label, as a dataset that ``Batches`` can read."""

    def __init__(self, frames: FrameStore, clips: list[Any], n_labels: int) -> None:
        self.frames, self.labels, self._clips = frames, [str(label) for label in range(n_labels)], clips

    def clips(self, _split: str) -> list[Any]:
        return self._clips


class Clip:
    def __init__(self, label: int, shard: int, first_row: int, rows: int) -> None:
        self.labels, self.shard, self.first_row, self.rows = (label,), shard, first_row, rows


def best(work: Callable[[], None], rounds: int) -> float:
    """The least processor seconds of some rounds."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


class PerItem(torch.utils.data.Dataset[torch.Tensor]):
    """What a first script does: one patch an item, collated by torch's DataLoader."""

    def __init__(self, frames: FrameStore, rows: np.ndarray) -> None:
        self.frames, self.rows = frames, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: int) -> torch.Tensor:
        row = self.rows[item]
        return torch.from_numpy(self.frames.shards[0][row : row + 96].copy())


def warm(rounds: int) -> None:
    draw = np.random.default_rng(0)
    print(f"warm, batches of {BATCH} at any offset, patches/s a core (times torch's DataLoader per item):")
    for storage in ("uint8", "float16"):
        spec = FeatureSpec.model_validate({"storage": storage})
        rates, baseline = {}, 0.0
        for shards in (1, 20):
            rows = 1_200_000 // shards
            store = FrameStore([draw.integers(0, 255, (rows, 64)).astype(storage) for _ in range(shards)], spec)
            shard, row = draw.integers(0, shards, (300, BATCH)), draw.integers(0, rows - 96, (300, BATCH))

            def ours(store: FrameStore = store, shard: Any = shard, row: Any = row) -> None:
                for shard_B, row_B in zip(shard, row, strict=True):
                    store.gather(shard_B, row_B)

            rates[shards] = row.size / best(ours, rounds)
            if shards == 1:
                loader = torch.utils.data.DataLoader(PerItem(store, row.ravel()), BATCH)
                baseline = row.size / best(lambda loader=loader: [None for _ in loader] and None, 2)  # type: ignore[misc]
        told = ", ".join(f"{n} shards {rate:,.0f} ({rate / baseline:.1f}x)" for n, rate in rates.items())
        print(f"  {storage:8s} {told}; DataLoader {baseline:,.0f}")


def dropped(path: Path) -> None:
    """Have no page of a file in memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def from_disk() -> int:
    """Bytes that this process had read from disks so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("read_bytes")))


def sequential(path: Path) -> float:
    """Bytes a second of reading a cold file from its beginning to its end."""
    dropped(path)
    buffer = bytearray(8 << 20)
    started, size = time.perf_counter(), 0
    with path.open("rb", buffering=0) as file:
        while got := file.readinto(buffer):
            size += got
    return size / (time.perf_counter() - started)


def hinted(store: FrameStore, batches: list[np.ndarray]) -> None:
    """As ``Ahead`` does: hints for the coming batches, then the batch."""
    ahead = HINTED_PATCHES // BATCH
    zeros = np.zeros(BATCH, np.int64)
    for row_B in batches[:ahead]:
        store.expect(zeros, row_B)
    for at, row_B in enumerate(batches):
        if at + ahead < len(batches):
            store.expect(zeros, batches[at + ahead])
        store.gather(zeros, row_B)


def plain(store: FrameStore, batches: list[np.ndarray]) -> None:
    zeros = np.zeros(BATCH, np.int64)
    for row_B in batches:
        store.gather(zeros, row_B)


def preads(path: Path, row_bytes: int) -> Callable[[FrameStore, list[np.ndarray]], None]:
    def work(_store: FrameStore, batches: list[np.ndarray]) -> None:
        with path.open("rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            for row_B in batches:
                for row in row_B.tolist():
                    os.pread(file.fileno(), 96 * row_bytes, row * row_bytes)

    return work


def cold(folder: Path, megabytes: int, rounds: int) -> None:
    print(f"cold, {megabytes} MB a file, one epoch in random order; share of the disk's sequential rate:")
    for storage in ("uint8", "float16"):
        path = folder / f"frames-{storage}"
        itemsize = np.dtype(storage).itemsize
        block = np.random.default_rng(0).integers(0, 255, (1 << 20) // itemsize // 64 * 64).astype(storage).tobytes()
        with path.open("wb") as file:
            for _ in range(megabytes):
                file.write(block)
        row_bytes = 64 * itemsize
        patches = path.stat().st_size // (96 * row_bytes)
        order = permute(np.arange(patches), patches, 0, 0) * 96
        batches = np.split(order[: patches // BATCH * BATCH], patches // BATCH)
        few = {"memmap": 3, "pread": 60}
        ways = {"memmap": plain, "pread": preads(path, row_bytes), "hinted": hinted}
        shares: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        rates = []
        for _ in range(rounds):
            rates.append(sequential(path))
            for name, way in ways.items():
                spec = FeatureSpec.model_validate({"storage": storage})
                dropped(path)
                mapped = np.asarray(np.memmap(path, storage, "r").reshape(-1, 64))
                store = FrameStore([mapped], spec, [path])
                some = batches[: few.get(name)]
                started, before = time.perf_counter(), from_disk()
                way(store, some)
                seconds = time.perf_counter() - started
                useful = len(some) * BATCH * 96 * row_bytes / seconds
                shares[name].append((useful / rates[-1], (from_disk() - before) / seconds / rates[-1]))
                del store, mapped
        rate = statistics.median(rates)
        print(f"  {storage:8s} sequential {rate / 1e6:,.0f} MB/s = {rate / 96 / row_bytes:,.0f} patches/s")
        for name, found in shares.items():
            useful, moved = (statistics.median(side) for side in zip(*found, strict=True))
            low, high = min(found)[0], max(found)[0]
            print(f"    {name:8s} {useful:7.1%} ({low:.1%} to {high:.1%}); bytes from the disk {moved:.0%}")
        path.unlink()


def corpus(n_labels: int, clips_of_label: int, rows: int) -> Corpus:
    frames = np.random.default_rng(0).integers(0, 255, (n_labels * clips_of_label * rows, 64), dtype=np.uint8)
    clips = [Clip(k // clips_of_label, 0, k * rows, rows) for k in range(n_labels * clips_of_label)]
    return Corpus(FrameStore([frames], FeatureSpec()), clips, n_labels)


def waiting(steps: int) -> None:
    """Share of a training step that waits for its batch: the smallest and fastest network, the modern preset."""
    data: Any = corpus(10, 100, 500)
    config = make_config("modern", {"train": {"max_silent_share": 1.0}})
    network: nn.Module = create("fully_connected", 10)
    print("wait for the batch as a share of the step (a step of the fastest network, full width, fp32):")
    for name, augment in (("modern", {}), ("paper", {"augment": {"random_offset": True}})):
        chosen = config if name == "modern" else make_config("paper", augment)
        ahead = Ahead(Batches(data, chosen), pin=False)
        optimiser = torch.optim.SGD(network.parameters(), 1e-6)
        started = time.perf_counter()
        first = 0.0
        for at, batch in enumerate(ahead(0, steps)):
            if at == 0:  # nothing could be made before it was asked for
                first, started = ahead.waited_seconds, time.perf_counter()
            loss = nn.functional.binary_cross_entropy_with_logits(
                network(dequantise(batch.x_BTF, chosen.features)), batch.y_BC
            )
            loss.backward()
            optimiser.step()
        spent = time.perf_counter() - started
        print(f"  {name:8s} {(ahead.waited_seconds - first) / spent:.2%} of {1000 * spent / steps:.1f} ms")


def mixing(batches: int) -> None:
    """chi2/dof of how often each class is in a batch, against drawing uniformly; 1 is perfect."""
    n_labels, clips, rows = 50, 40, 500
    data: Any = corpus(n_labels, clips, rows)
    made = Batches(data, make_config("paper", {"train": {"steps": 1}}))
    owner = np.array([clip.labels[0] for clip in data.clips("train")])
    expected = BATCH / n_labels
    found = [np.bincount(owner[clip_B], minlength=n_labels) for clip_B, _ in places(made, batches)]
    chi2 = np.mean([((counts - expected) ** 2 / expected).sum() for counts in found]) / (n_labels - 1)
    print(f"class mix of batches on a corpus stored label by label: chi2/dof {chi2:.3f} (goal 0.9 to 1.1)")


def places(made: Batches, batches: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return (made.sampler.batch(step) for step in range(batches))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    warm(args.rounds)
    if hasattr(os, "posix_fadvise") and Path("/proc/self/io").exists():
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            cold(Path(folder), args.megabytes, min(3, args.rounds))
    waiting(100)
    mixing(400)


if __name__ == "__main__":
    main()
