"""Results are committed by a marker written last; what is damaged or gone is never trusted."""

import json
import threading

import pytest

from earmark.errors import UserError
from earmark.store import CorruptObject, Manifest, MissingObject, find, once, open_store


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path)


def work(attempt):
    attempt.put("table.parquet", b"rows")
    attempt.put_json("list.json", [1, 2])
    attempt.facts["count"] = 2


def test_a_second_time_nothing_is_done(store):
    first = once(store, "step", "key", work)
    second = once(store, "step", "key", lambda attempt: pytest.fail("worked again"))
    assert first == second
    assert not first.reused
    assert second.reused
    assert second.files["table.parquet"].read(store) == b"rows"


def test_a_manifest_survives_its_json(store):
    made = once(store, "step", "key", work)
    assert Manifest.from_json(made.to_json()) == made


def test_without_the_marker_nothing_counts(store):
    def die(attempt):
        attempt.put("table.parquet", b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        once(store, "step", "key", die)
    assert find(store, "step", "key") is None
    assert once(store, "step", "key", work).files["table.parquet"].read(store) == b"rows"


def test_of_several_attempts_at_once_all_return_the_winner(store):
    barrier = threading.Barrier(8)
    results = []

    def attempt_of(number):
        def one(attempt):
            attempt.put("number", str(number).encode())
            barrier.wait()

        results.append(once(store, "step", "key", one))

    threads = [threading.Thread(target=attempt_of, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({r.to_json() for r in results}) == 1


def test_a_result_whose_object_is_gone_is_made_again(store):
    made = once(store, "step", "key", work)
    store.delete(made.files["table.parquet"].object)
    with pytest.raises(MissingObject, match=r"table.* of step"):
        made.check(store)
    assert not once(store, "step", "key", work).reused
    assert made.check(store)


def test_a_truncated_object_is_not_trusted(store):
    made = once(store, "step", "key", work)
    store.put(made.files["table.parquet"].object, b"ro")
    assert find(store, "step", "key") is None


def test_a_damaged_object_is_named_with_the_remedy(store):
    made = once(store, "step", "key", work)
    store.put(made.files["table.parquet"].object, b"rowz")
    for read in (made.files["table.parquet"].read, made.files["table.parquet"].local):
        with pytest.raises(CorruptObject, match=r"table-.* is damaged .*delete it and run"):
            read(store)


def test_a_result_that_names_what_was_never_written_is_not_committed(store):
    def lie(attempt):
        ref = attempt.put("a", b"1")
        store.delete(ref.object)

    with pytest.raises(MissingObject):
        once(store, "step", "key", lie)
    assert find(store, "step", "key") is None


def test_another_schema_is_refused_by_name(store):
    document = json.loads(once(store, "step", "key", work).to_json()) | {"schema_version": 99, "seal": None}
    with pytest.raises(UserError, match=r"step manifest of schema 99 where this version reads 1"):
        Manifest.from_json(json.dumps(document))


@pytest.mark.parametrize("damage", ["cut", "empty", "no text", "a list", "a fact", "another's"])
def test_a_damaged_marker_is_not_trusted_and_the_result_is_made_again(store, damage):
    made = once(store, "step", "key", work)
    [marker] = [info.key for info in store.list("results/") if info.key.endswith("done.json")]
    whole = store.get(marker)
    other = once(store, "step", "other", work).to_json().encode()
    damaged = {"cut": whole[:-9], "empty": b"", "no text": bytes(255 - byte for byte in whole), "a list": b"[1, 2]"}
    damaged |= {"a fact": whole.replace(b'"count": 2', b'"count": 6'), "another's": other}
    store.put(marker, damaged[damage])
    again = once(store, "step", "key", work)
    assert again == made
    assert not again.reused
    assert store.get(marker) == whole


def test_the_digest_is_of_the_content_not_of_the_key(store):
    assert once(store, "step", "one", work).digest == once(store, "step", "two", work).digest


def test_a_failure_carries_its_cause():
    failed = Manifest.from_json(Manifest.failure("train_model", "vgg", "out of memory").to_json())
    assert failed.failed == "out of memory"
    assert failed.facts["variant"] == "vgg"
