"""Batches of patches at random from memory: ours beside what a training script would otherwise read them with.

The peers hold patches that were cut before, so none of them can begin a patch at any frame, as ours does.
"""

from __future__ import annotations

import importlib
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.harness import Figure, Work, interleaved
from benchmarks.stored import BATCH, mapped, write_shards
from earmark.features import MEL_BANDS, PATCH_FRAMES

TITLE = "Random batches from memory, against DataLoader, MDS, WebDataset and a plain memory map"
GOALS = {"uint8": (500_000.0, 1_200_000.0), "float16": (250_000.0, 550_000.0)}
"""Patches a second of one core: the floor, and what is wanted."""
WANTED = {"memmap": 1.0, "dataloader": 8.0, "mds": 13.0, "webdataset": 90.0}
NAMES = {
    "memmap": "np.take from one .npy of patches",
    "dataloader": "torch's DataLoader, item by item",
    "mds": "MosaicML streaming, items of an MDS",
    "webdataset": "WebDataset, shuffle buffer of 5,000",
}
SHUFFLE_BUFFER = 5_000
Peer = tuple[Work, int]
"""What reads so many patches."""


def measure(full: bool) -> Iterator[Figure]:
    """Rates of one core for one shard and for 20, and the peers' time for a patch over ours."""
    rows, batches, rounds = (12_000_000, 1_000, 9) if full else (3_000_000, 150, 3)
    for storage in GOALS:
        with tempfile.TemporaryDirectory() as folder:
            yield from _measure(Path(folder), storage, rows, batches, rounds)


def _measure(folder: Path, storage: str, rows: int, batches: int, rounds: int) -> Iterator[Figure]:
    works: dict[str, Peer] = {}
    for shards in (1, 20):
        store = mapped(write_shards(folder, storage, shards, rows // shards), storage)
        rng = np.random.default_rng(1)
        shard_NB = rng.integers(0, shards, (batches, BATCH))
        row_NB = rng.integers(0, rows // shards - PATCH_FRAMES + 1, (batches, BATCH))

        def ours(store: Any = store, shard_NB: Any = shard_NB, row_NB: Any = row_NB) -> None:
            for shard_B, row_B in zip(shard_NB, row_NB, strict=True):
                store.gather(shard_B, row_B)

        works[str(shards)] = ours, batches * BATCH
    missing = {}
    for name, make in PEERS.items():
        try:
            works[name] = make(folder, storage, rows // PATCH_FRAMES, batches)
        except ImportError as error:
            missing[name] = f"{error.name} is not installed"
    times = interleaved({name: work for name, (work, _) in works.items()}, rounds)
    rates = {name: [works[name][1] / second for second in seconds] for name, seconds in times.items()}
    floor, wanted = GOALS[storage]
    absent = "; ".join(f"no {name}: {why}" for name, why in missing.items())
    for shards in (1, 20):
        title = f"{storage}, {shards} shard{'s' * (shards > 1)}, one core"
        values = tuple(rates[str(shards)])
        yield Figure(
            f"gather/{storage}/{shards}", title, values, "patches/s", "more", goal=7, floor=floor, wanted=wanted,
            note=absent,
        )  # fmt: skip
    for name in (name for name in PEERS if name in works):
        values = tuple(own / theirs for own, theirs in zip(rates["1"], rates[name], strict=True))
        is_goal = name != "memmap"
        yield Figure(
            f"gather/{storage}/{name}", f"{storage}, one shard", values, "x", "more", NAMES[name], goal=7 * is_goal,
            wanted=WANTED[name] if is_goal else None, note=f"{np.median(rates[name]):,.0f} patches/s there",
        )  # fmt: skip


def _patches(storage: str, count: int) -> np.ndarray:
    shape = (count, PATCH_FRAMES, MEL_BANDS)
    return np.random.default_rng(2).integers(0, 255, shape, dtype=np.uint8).astype(storage)


def _memmap(folder: Path, storage: str, count: int, batches: int) -> Peer:
    """A batch is ``np.take`` from the memory map, into the same array each time."""
    np.save(folder / "patches.npy", _patches(storage, count))
    x_PTF = np.load(folder / "patches.npy", mmap_mode="r")
    index_NB = np.random.default_rng(3).integers(0, count, (batches, BATCH))
    x_BTF = np.empty((BATCH, PATCH_FRAMES, MEL_BANDS), storage)

    def work() -> None:
        for index_B in index_NB:
            np.take(x_PTF, index_B, axis=0, out=x_BTF, mode="clip")

    return work, batches * BATCH


class Items(torch.utils.data.Dataset[torch.Tensor]):
    """A patch an item, collated by DataLoader, as a first script has it."""

    def __init__(self, x_PTF: np.ndarray) -> None:
        self.x_PTF = x_PTF

    def __len__(self) -> int:
        return len(self.x_PTF)

    def __getitem__(self, item: int) -> torch.Tensor:
        return torch.from_numpy(self.x_PTF[item].copy())


def _dataloader(folder: Path, storage: str, count: int, _batches: int) -> Peer:
    if not (folder / "patches.npy").exists():
        np.save(folder / "patches.npy", _patches(storage, count))
    items = Items(np.load(folder / "patches.npy", mmap_mode="r"))
    drawn = torch.utils.data.RandomSampler(items, num_samples=10_000, generator=torch.Generator().manual_seed(0))
    loader = torch.utils.data.DataLoader(items, BATCH, sampler=drawn)
    return lambda: [None for _ in loader], 10_000


def _mds(folder: Path, storage: str, _count: int, _batches: int) -> Peer:
    streaming = importlib.import_module("streaming")
    place = str(folder / "mds")
    columns = {"x": f"ndarray:{storage}:{PATCH_FRAMES},{MEL_BANDS}"}
    with streaming.MDSWriter(out=place, columns=columns, size_limit=32 << 20) as writer:
        for x_TF in _patches(storage, 10_000):
            writer.write({"x": x_TF})
    streaming.base.util.clean_stale_shared_memory()
    dataset = streaming.StreamingDataset(local=place, batch_size=BATCH)
    index_NB = np.random.default_rng(3).integers(0, 10_000, (40, BATCH)).tolist()

    def work() -> None:
        for index_B in index_NB:
            np.stack([dataset[index]["x"] for index in index_B])

    return work, 40 * BATCH


def _webdataset(folder: Path, storage: str, _count: int, _batches: int) -> Peer:
    webdataset = importlib.import_module("webdataset")
    path = folder / "patches.tar"
    with tarfile.open(path, "w") as archive:
        for number, x_TF in enumerate(_patches(storage, 10_000)):
            entry = tarfile.TarInfo(f"{number:06d}.npy")
            file = BytesIO()
            np.save(file, x_TF)
            entry.size = file.tell()
            file.seek(0)
            archive.addfile(entry, file)

    def work() -> None:
        drawn = webdataset.WebDataset(str(path), shardshuffle=False).shuffle(SHUFFLE_BUFFER).decode().to_tuple("npy")
        batch = []
        for (x_TF,) in drawn:
            batch.append(x_TF)
            if len(batch) == BATCH:
                np.stack(batch)
                batch = []

    return work, 10_000


PEERS: dict[str, Callable[[Path, str, int, int], Peer]] = {
    "memmap": _memmap,
    "dataloader": _dataloader,
    "mds": _mds,
    "webdataset": _webdataset,
}
