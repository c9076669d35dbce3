"""Shards from an object store to a node's cache: a real SeaweedFS on the loopback, which shares the machine's cores."""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Figure, interleaved, ratios
from benchmarks.machine import ROOT
from earmark.features.arriving import Arriving
from earmark.store import FileRef, Store, open_store
from earmark.store.cache import cache_folder

TITLE = "Object store to a node's cache, against one big GET of the same server"
SHARD_MEGABYTES = (16, 64)
SMALL_BYTES = 1 << 20
"""A GET of less than this would be one of a few patches."""
PIECE_BYTES = 1 << 20


def measure(full: bool) -> Iterator[Figure]:
    """The big GET's time over ours for shards of each size, and how many small GETs there were."""
    megabytes, rounds = (1_024, 9) if full else (256, 5)
    sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "manifests" / "secrets")]
    from seaweed import running

    with running() as server, tempfile.TemporaryDirectory() as folder:
        os.environ |= {**server.environment(), "EARMARK_CACHE": f"{folder}/cache"}
        yield from _measure(open_store("s3://earmark/bench"), Path(folder), megabytes << 20, rounds)


def _measure(store: Any, folder: Path, size: int, rounds: int) -> Iterator[Figure]:
    shards = {megabytes: _put(store, f"{megabytes}", megabytes << 20, size) for megabytes in SHARD_MEGABYTES}
    whole = _put(store, "whole", size, size)[0]
    client, name = store.endpoint.client(), f"{store.prefix}/{whole.object}"
    gets: list[int] = []
    ask = client._http.urlopen

    def counted(method: str, *args: Any, **kwargs: Any) -> Any:
        if method == "GET":
            first, last = kwargs["headers"]["Range"].removeprefix("bytes=").split("-")
            gets.append(int(last) - int(first) + 1)
        return ask(method, *args, **kwargs)

    def big_get(to: Callable[[bytes], Any]) -> None:
        response = client.get_object(store.bucket, name)
        while piece := response.read(PIECE_BYTES):
            to(piece)
        response.release_conn()

    def big_file() -> None:
        with (folder / "whole").open("wb") as file:
            big_get(file.write)

    def fetched(refs: list[FileRef]) -> None:
        shutil.rmtree(cache_folder(), ignore_errors=True)
        client._http.urlopen = counted
        arriving = Arriving(store, refs, "uint8")
        for shard in range(len(refs)):
            arriving.wait(shard)
        arriving.stop()
        client._http.urlopen = ask

    def big_checked() -> None:
        big_file()
        with (folder / "whole").open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == whole.sha256

    works = {str(megabytes): lambda refs=refs: fetched(refs) for megabytes, refs in shards.items()}
    peers = {"file": big_file, "checked": big_checked}
    titles = {"file": "one GET of all of it, written to a file", "checked": "the same, its sha256 checked once"}
    times = interleaved(works | peers, rounds, time.perf_counter)
    rate = {way: f"{size / statistics.median(seconds) / 1e6:,.0f} MB/s" for way, seconds in times.items()}
    for megabytes in SHARD_MEGABYTES:
        for peer, told in titles.items():
            is_goal = peer == "file"
            yield Figure(
                f"store/{megabytes}/{peer}", f"shards of {megabytes} MB to the cache, checked",
                ratios(times, peer, str(megabytes)), "x", "more", told, goal=10 * is_goal,
                floor=0.7 if is_goal else None, wanted=0.95 if is_goal else None,
                note=f"{rate[str(megabytes)]}, {rate[peer]} there",
            )  # fmt: skip
    small = sum(length < SMALL_BYTES for length in gets)
    yield Figure(
        "store/small", "GETs of single patches while shards are fetched", (float(small),), "requests", "less", goal=10,
        floor=0.0, wanted=0.0, note=f"of {len(gets):,} GETs, {np.mean(gets) / 2**20:.1f} MiB each",
    )  # fmt: skip


def _put(store: Store, name: str, each: int, size: int) -> list[FileRef]:
    """So many bytes as objects of one size."""
    refs = []
    for number in range(size // each):
        data = np.random.default_rng(number).bytes(each)
        store.put(f"{name}-{number}", data)
        refs.append(FileRef(f"{name}-{number}", each, hashlib.sha256(data).hexdigest()))
    return refs
