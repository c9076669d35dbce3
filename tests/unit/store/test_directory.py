"""A directory as an object store: whole objects or none, one winner, no way out."""

import errno
import os
import threading
from pathlib import Path

import pytest

from earmark.errors import UserError
from earmark.store import MissingObject, open_store
from earmark.store.directory import Directory


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def test_what_was_put_is_there(store):
    store.put("a/b", b"bytes")
    store.put("a/c", b"file")
    assert store.get("a/b") == b"bytes"
    assert store.local("a/c").read_bytes() == b"file"
    assert store.head("a/b").size == 5
    assert [info.key for info in store.list("a/")] == ["a/b", "a/c"]
    assert [info.key for info in store.list("a/b")] == ["a/b"]
    store.delete("a/b")
    store.delete("a/b")
    assert store.head("a/b") is None


def test_a_missing_object_is_named(store):
    with pytest.raises(MissingObject, match="a/nothing"):
        store.get("a/nothing")
    assert store.head("a/nothing") is None
    assert list(store.list("a/")) == []


def test_of_many_writers_at_once_one_wins(store):
    barrier = threading.Barrier(16)
    won = []

    def write(number):
        barrier.wait()
        if store.put_new("marker", str(number).encode()):
            won.append(number)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.get("marker") == str(won[0]).encode()
    assert [info.key for info in store.list()] == ["marker"]


@pytest.mark.parametrize("key", ["../out", "a/../../out", "/etc/passwd"])
def test_a_key_cannot_leave_the_store(store, key):
    with pytest.raises(UserError, match="out of the store"):
        store.put(key, b"")


def test_a_failed_write_leaves_nothing_and_names_the_remedy(store, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"disk of .* is full: free some space"):
        store.put("a", b"data")
    monkeypatch.undo()
    assert list(store.list()) == []
    assert list(store.root.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="cannot write"):
        Directory(tmp_path / "file").put("a", b"")


def test_temporary_files_are_no_objects(store):
    store.put("a", b"")
    (store.root / ".tmp-left-over").write_bytes(b"half")
    assert [info.key for info in store.list()] == ["a"]


def test_an_unknown_scheme_is_refused():
    with pytest.raises(UserError, match="ftp://"):
        open_store("ftp://host/bucket")


def test_the_mark_changes_with_the_content(store):
    store.put("a", b"1")
    before = store.head("a").mark
    os.utime(store.local("a"), ns=(1, 1))
    assert store.head("a").mark != before
