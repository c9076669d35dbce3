"""``earmark gc``: what nobody will read again is found, told, and removed when that is asked for.

Kept whatever their age: what the manifest of a result or of a run names, features that a part's table names, all that
is known of a data set's files, and every key that is not mentioned here. A result that is not finished is left alone
as long as anything of it is younger than the grace time: a training that runs writes a checkpoint every few seconds.
While there is such a one, what it may have begun from stays too: other trainings' checkpoints and given weights.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from earmark.errors import UserError
from earmark.features.shards import shard_of
from earmark.pipelines.local import open_place
from earmark.pipelines.terminal import print_json, print_table
from earmark.store import ObjectInfo, Store, each, open_store
from earmark.store.cache import unfinished_copies
from earmark.store.tables import read_table

DAY = 86_400.0
RESULTS, FEATURES, INITIAL, RUNS = "results/", "features/", "initial/", "runs/"
MARKER = "done.json"
CHECKPOINTS = "checkpoints of finished trainings"


@dataclass(frozen=True)
class Rubbish:
    """One thing that can go."""

    kind: str
    name: str
    size: int
    remove: Callable[[], None]


def collect_garbage(work: str, older_than_days: int, yes: bool, json: bool) -> None:
    """``earmark gc``: tell what can go, and remove it if ``yes``."""
    store = open_store(open_place(work).environment()["EARMARK_STORE"])
    found = list(rubbish(store, time.time() - older_than_days * DAY))
    if yes:
        each(store, lambda one: one.remove(), found)
    kinds: dict[str, list[int]] = defaultdict(list)
    for one in found:
        kinds[one.kind].append(one.size)
    if json:
        told = [{"kind": kind, "count": len(sizes), "bytes": sum(sizes)} for kind, sizes in kinds.items()]
        print_json({"store": store.uri, "removed": yes, "found": told})
        return
    rows = [[kind, str(len(sizes)), f"{sum(sizes) / 1e6:,.1f}"] for kind, sizes in kinds.items()]
    if rows:
        print_table(f"{store.uri}: named by nothing, older than {older_than_days} days", ["what", "files", "MB"], rows)
    total = f"{len(found)} files, {sum(one.size for one in found) / 1e6:,.1f} MB"
    if not found:
        print(f"nothing to remove in {store.uri}")
    else:
        print(f"removed {total}" if yes else f"{total} could go; nothing is removed yet: add --yes")


def rubbish(store: Store, before: float) -> Iterator[Rubbish]:
    """What can go of all that was last written before a time, in seconds since 1970.

    Raises:
        UserError: a manifest that cannot be read, so that what it names is not known.
    """
    results = list(store.list(RESULTS))
    runs = [info.key for info in store.list(RUNS) if info.key.endswith(".json")]
    markers = [info.key for info in results if _is_marker(info.key)]
    named = set[str]().union(*each(store, lambda key: _named(store, key), [*markers, *runs]))
    folders = [(f"{folder}/{MARKER}" in {info.key for info in files}, files) for folder, files in _by_folder(results)]
    unfinished = [files for finished, files in folders if not finished]
    running = [files for files in unfinished if any(info.modified >= before for info in files)]
    for finished, files in folders:
        for info in files if files not in running else ():
            if info.modified < before and info.key not in named and not _is_marker(info.key):
                kind = _kind(info.key, finished)
                if kind != CHECKPOINTS or not running:
                    yield _object(store, kind, info)
    yield from _unnamed_shards(store, before)
    for info in store.list(INITIAL) if not running else ():
        if info.modified < before:
            yield _object(store, "weights that trainings began from", info)
    for left in store.unfinished():
        if left.modified < before:
            yield Rubbish("half-written objects", left.key, left.size, partial(store.discard, left))
    for path in unfinished_copies():
        if path.stat().st_mtime < before:
            yield Rubbish("half-fetched copies on this machine", str(path), path.stat().st_size, _unlink(path))


def _unnamed_shards(store: Store, before: float) -> Iterator[Rubbish]:
    infos = list(store.list(FEATURES))
    tables = [info.key for info in infos if info.key.endswith(".parquet")]
    named = set(each(store, lambda key: _shard(store, key), tables))
    for info in infos:
        if info.modified < before and info.key.endswith(".frames") and info.key not in named:
            yield _object(store, "shards that no part names", info)


def _shard(store: Store, table: str) -> str | None:
    try:
        shard = shard_of(read_table(store.get(table)))
    except UserError as error:
        raise _unreadable(store, table) from error
    return shard.object if shard is not None else None


def _named(store: Store, manifest: str) -> set[str]:
    """Every object that a manifest, of whatever version, names."""
    try:
        files = json.loads(store.get(manifest)).get("files", {})
        return {ref["object"] for ref in files.values()}
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise _unreadable(store, manifest) from error


def _unreadable(store: Store, key: str) -> UserError:
    return UserError(
        f"{key} in {store.uri} cannot be read, so what it names is not known and nothing is removed: delete it if it "
        "is damaged (its step is then run again)"
    )


def _by_folder(infos: Iterable[ObjectInfo]) -> Iterator[tuple[str, list[ObjectInfo]]]:
    """Objects by their result's folder, ``results/STEP/KEY``; what lies elsewhere is no result."""
    folders: dict[str, list[ObjectInfo]] = defaultdict(list)
    for info in infos:
        parts = info.key.split("/")
        if len(parts) > 3:
            folders["/".join(parts[:3])].append(info)
    yield from folders.items()


def _is_marker(key: str) -> bool:
    return key.endswith(f"/{MARKER}") and key.count("/") == 3


def _kind(key: str, finished: bool) -> str:
    if not finished:
        return "files of results that were never finished"
    return CHECKPOINTS if "/checkpoints/" in key else "files that no manifest names"


def _object(store: Store, kind: str, info: ObjectInfo) -> Rubbish:
    def remove() -> None:
        # written again since it was found: a run has begun that needs it
        now = store.head(info.key)
        if now is not None and (now.mark, int(now.modified)) == (info.mark, int(info.modified)):
            store.delete(info.key)

    return Rubbish(kind, info.key, info.size, remove)


def _unlink(path: Path) -> Callable[[], None]:
    return lambda: path.unlink(missing_ok=True)
