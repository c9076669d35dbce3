"""Checks of the store: that it answers, what time it has, and that this identity may do what steps do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from earmark.checking.lines import Line, one_line
from earmark.checking.reach import away, clock_line, reach
from earmark.checking.room import disk_line, why_not_writable
from earmark.errors import EarmarkError, UserError
from earmark.store import Directory, Store, open_store
from earmark.store.access import Endpoint
from earmark.store.cache import cache_folder

PART = "store"
# Every identity may write below it, however few rights it has.
PROBES = "runs"


def check_store() -> Iterator[Line]:
    """Lines about the store that ``EARMARK_STORE`` names."""
    store = open_store()
    if isinstance(store, Directory):
        yield from _check_directory(store)
        return
    endpoint = Endpoint.from_environment()
    answer = reach(endpoint.url, endpoint.ca_file)
    if isinstance(answer, str):
        yield away(PART, endpoint.url, answer, "EARMARK_S3_ENDPOINT", "EARMARK_S3_CA_FILE")
        return
    yield Line("ok", PART, f"{endpoint.url} answers in {1000 * answer.seconds:.0f} ms")
    yield clock_line(PART, answer)
    yield from try_rights(store)
    yield disk_line(PART, cache_folder())


def try_rights(store: Store) -> Iterator[Line]:
    """Write, read, keep and delete an object of our own: what a step does with its results."""
    key, data = f"{PROBES}/check-{uuid.uuid4().hex}", b"earmark check"
    try:
        first = store.put_new(key, data)
    except EarmarkError as error:
        yield Line("bad", PART, one_line(error), mendable=isinstance(error, UserError))
        return
    assert first
    yield Line("ok", PART, f"{store.uri} can be written")
    yield _kept(store, key, data)
    yield _readable(store, key, data)
    try:
        store.delete(key)
    except EarmarkError as error:
        hint = f"allow deletion below {store.uri} (results are replaced without it, but nothing is cleared away)"
        yield Line("note", PART, f"the object {key} cannot be deleted and stays: {one_line(error)}", hint)
    else:
        yield Line("ok", PART, f"{store.uri} lets its objects be deleted")


def _kept(store: Store, key: str, data: bytes) -> Line:
    try:
        again = store.put_new(key, data)
    except EarmarkError as error:
        return Line(
            "bad", PART, f"writing only if absent fails: {one_line(error)}", mendable=isinstance(error, UserError)
        )
    if again:
        hint = "use a server that heeds If-None-Match (SeaweedFS 4, MinIO, S3): without it two steps can both win"
        return Line("bad", PART, "the store replaces an object that was to be written only if absent", hint)
    return Line("ok", PART, "of two that write one object the first wins (If-None-Match)")


def _readable(store: Store, key: str, data: bytes) -> Line:
    try:
        found = store.get(key)
        listed = [info.key for info in store.list(key)]
    except EarmarkError as error:
        return Line("bad", PART, f"reading fails: {one_line(error)}", mendable=isinstance(error, UserError))
    if found != data or listed != [key]:
        hint = "see whether another server answers at this address, or a proxy keeps old answers"
        return Line("bad", PART, "what is read or listed is not what was just written", hint)
    return Line("ok", PART, f"{store.uri} can be read and listed")


def _check_directory(store: Directory) -> Iterator[Line]:
    reason = why_not_writable(store.root)
    if reason:
        hint = "give its folder to this user, or choose another with --work or EARMARK_STORE"
        yield Line("bad", PART, f"cannot write {store.root} ({reason})", hint)
        return
    if store.root.exists():
        yield from try_rights(store)
    else:
        yield Line("ok", PART, f"{store.root} is made by the first run")
    yield disk_line(PART, store.root)
