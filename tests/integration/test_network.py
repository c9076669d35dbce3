"""A network that cuts, resets and stalls: nothing is lost, nothing half-written counts, nothing waits for ever."""

import hashlib
import os
import signal
import threading
import uuid

import pytest
from proxy import proxied

from earmark.errors import EarmarkError
from earmark.progress import Progress
from earmark.store import open_store
from earmark.tracking import DatasetFacts, RunContext, Tracker, end_run

SIZE = 3_000_000
FAULTS = [
    ("cut", "server", 1_000_000),
    ("reset", "server", 1_000_000),
    ("cut", "client", 1_000_000),
    ("reset", "client", 1_000_000),
]


@pytest.fixture
def network(seaweedfs, monkeypatch, tmp_path):
    with proxied(seaweedfs.ports["s3"][0]) as proxy:
        told = {**seaweedfs.environment(), "EARMARK_S3_ENDPOINT": f"http://127.0.0.1:{proxy.port}"}
        told |= {"EARMARK_CACHE": str(tmp_path / "cache"), "EARMARK_S3_DEADLINE": "20"}
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        yield proxy


def noise():
    return hashlib.shake_128(uuid.uuid4().bytes).digest(SIZE)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault[0]} of the {fault[1]}'s bytes")
def test_an_object_travels_whole_over_connections_that_break_in_its_middle(network, fault):
    data = noise()
    network.faults.extend([fault, fault])
    store = open_store(f"s3://earmark/{uuid.uuid4().hex}")
    store.put("big", data)
    assert store.put_new("new", data)
    assert not store.put_new("new", b"another")
    # Connections are kept: those made so far are needed no more.
    network.faults.extend([fault, fault])
    threads = [threading.Thread(target=store.head, args=("big",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("big") == store.local("new").read_bytes() == data
    assert fault[0] in network.met
    assert [info.key for info in store.list()] == ["big", "new"]


def test_a_server_that_stops_and_goes_on_costs_only_the_time(network, seaweedfs):
    data, store = noise(), open_store(f"s3://earmark/{uuid.uuid4().hex}")
    store.put("big", data)
    os.killpg(seaweedfs.process.pid, signal.SIGSTOP)
    try:
        read = []
        thread = threading.Thread(target=lambda: read.append(store.get("big")))
        thread.start()
        thread.join(0.3)
        assert read == []
    finally:
        os.killpg(seaweedfs.process.pid, signal.SIGCONT)
    thread.join()
    assert read == [data]


def test_a_connection_that_says_nothing_more_ends_the_call_in_time_with_the_remedy(network, monkeypatch):
    monkeypatch.setenv("EARMARK_S3_DEADLINE", "0.5")
    monkeypatch.setattr("earmark.store.access.SLOWEST_BYTES_A_SECOND", 50_000_000)
    network.faults.extend([("stall", "server", 1)] * 20)
    with pytest.raises(EarmarkError, match=rf"no answer from http://127.0.0.1:{network.port} .* run the same command"):
        open_store(f"s3://earmark/{uuid.uuid4().hex}").put("key", b"value")


def test_an_mlflow_that_takes_connections_and_says_nothing_stops_nobody(monkeypatch, tmp_path, seaweedfs):
    with proxied(seaweedfs.ports["s3"][0]) as silent:
        silent.faults.extend([("stall", "client", 1)] * 20)
        uri = f"http://127.0.0.1:{silent.port}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        monkeypatch.setenv("EARMARK_WORK", str(tmp_path))
        assert end_run(uri, "run-1", "FAILED", deadline_seconds=0.5) == "no answer within 0.5 s"
        tracker = Tracker(
            RunContext("run-1", "compare"), DatasetFacts("d" * 32, "/clips", {}), Progress("t", mode="off")
        )
        child = tracker.child("k", "alexnet", {})
        child.log("train", {"step": 1, "loss": 0.5})
        child.finish(deadline_seconds=0.5)
        [waiting] = (tmp_path / "outbox").rglob("*.jsonl")
        assert "train/loss" in waiting.read_text()
