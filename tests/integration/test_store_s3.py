"""A bucket as a store: the same as a directory, and nothing half-written trusted whatever happens to the server."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from pathlib import Path

import pytest
from seaweed import running

from earmark.errors import EarmarkError, UserError
from earmark.store import CorruptObject, MissingObject, find, once, open_store, s3
from earmark.store.cache import PARTIAL

LEAST_PART = 5 << 20
BIG = 3 * s3.PART_BYTES + 12_345
KEYS = ["a", "a/b.c/d", "a/b/d", "a.b", "with space/ü+%&=.wav", "x" * 200, "UPPER/lower"]


def told(monkeypatch, server, identity="admin", **more):
    for name, value in {**server.environment(identity), **more}.items():
        monkeypatch.setenv(name, str(value))


def fresh():
    return open_store(f"s3://earmark/{uuid.uuid4().hex}")


def noise(size, seed=0):
    return hashlib.shake_128(str(seed).encode()).digest(size)


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.fixture
def bucket(seaweedfs, monkeypatch, tmp_path):
    """A store of the test's own in the session's server, with an empty cache."""
    told(monkeypatch, seaweedfs, EARMARK_CACHE=tmp_path / "cache", EARMARK_S3_DEADLINE=20)
    return fresh()


@pytest.fixture(params=["directory", "s3"])
def store(request, tmp_path):
    return open_store(tmp_path / "store") if request.param == "directory" else request.getfixturevalue("bucket")


# What every store keeps to


def test_what_was_put_is_there(store):
    for key in reversed(KEYS[1:]):
        store.put(key, key.encode())
    for key in KEYS[1:]:
        assert store.get(key) == key.encode()
        assert store.local(key).read_bytes() == key.encode()
        assert store.part(key, 1, 2) == key.encode()[1:3]
        assert store.head(key).size == len(key.encode())
    assert [info.key for info in store.list()] == sorted(KEYS[1:])
    assert [info.key for info in store.list("a/b/")] == ["a/b/d"]
    assert [info.key for info in store.list("a")] == ["a.b", "a/b.c/d", "a/b/d"]
    assert {info.key: info for info in store.list()}["a.b"] == store.head("a.b")


def test_an_object_is_replaced_and_removed(store):
    store.put("a", b"")
    assert (store.get("a"), store.local("a").read_bytes(), store.head("a").size) == (b"", b"", 0)
    before = store.head("a").mark
    store.put("a", b"more")
    assert store.local("a").read_bytes() == store.get("a") == b"more"
    assert store.head("a").mark != before
    store.delete("a")
    store.delete("a")
    assert store.head("a") is None


def test_a_missing_object_is_named(store):
    for read in (store.get, store.local, lambda key: store.part(key, 0, 1)):
        with pytest.raises(MissingObject, match="a/nothing"):
            read("a/nothing")
    assert store.head("a/nothing") is None
    assert list(store.list("a/")) == []


def test_of_twelve_writers_at_once_one_wins(store):
    for name in ("one", "two"):
        barrier, won = threading.Barrier(12), []

        def write(number, name=name, barrier=barrier, won=won):
            barrier.wait()
            if store.put_new(name, str(number).encode()):
                won.append(number)

        threads = [threading.Thread(target=write, args=(n,)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert store.get(name) == str(won[0]).encode()


@pytest.mark.parametrize("key", ["../out", "a/../../out", "/etc/passwd"])
def test_a_key_cannot_leave_the_store(store, key):
    with pytest.raises(UserError, match="out of the store"):
        store.put(key, b"")


def test_a_result_is_committed_once_and_made_again_when_a_file_is_gone(store):
    def work(attempt):
        for number in range(20):
            attempt.put(f"file{number}.txt", str(number).encode())

    made = once(store, "step", "key", work)
    assert find(store, "step", "key") == made
    assert made.missing(store) == []
    store.delete(made.files["file7.txt"].object)
    assert made.missing(store) == ["file7.txt"]
    assert find(store, "step", "key") is None


def test_hidden_files_are_no_objects(store, seaweedfs):
    store.put("a", b"")
    if isinstance(store, s3.S3):
        seaweedfs.client().put_object(store.bucket, f"{store.prefix}/sub/._a.wav", io.BytesIO(b""), 0)
    else:
        (store.root / "sub").mkdir()
        (store.root / "sub" / "._a.wav").write_bytes(b"")
    assert [info.key for info in store.list()] == ["a"]


# Large objects and damage


def test_a_large_object_travels_in_parts_and_comes_back(bucket):
    data = noise(BIG)
    bucket.put("big", data)
    assert bucket.head("big").size == BIG
    assert bucket.head("big").mark.endswith("-4")
    assert bucket.get("big") == data
    assert bucket.local("big").read_bytes() == data
    assert bucket.part("big", BIG - 7, 7) == data[-7:]


@pytest.mark.parametrize("size", [5, BIG])
def test_an_object_that_differs_from_its_digest_is_named(bucket, seaweedfs, size):
    data = noise(size)
    wrong = {"sha256": hashlib.sha256(b"another").hexdigest()}
    seaweedfs.client().put_object("earmark", f"{bucket.prefix}/bad", io.BytesIO(data), size, metadata=wrong)
    for read in (bucket.get, bucket.local):
        with pytest.raises(CorruptObject, match=r"bad is damaged .*delete it and run"):
            read("bad")


def test_a_result_whose_object_was_replaced_is_named(bucket):
    made = once(bucket, "step", "key", lambda attempt: attempt.put("a.txt", b"right"))
    bucket.put(made.files["a.txt"].object, b"wrong")
    for read in (made.files["a.txt"].read, made.files["a.txt"].local):
        with pytest.raises(CorruptObject, match=r"a-.* is damaged .*delete it and run"):
            read(bucket)


def test_a_damaged_copy_is_fetched_anew(bucket):
    made = once(bucket, "step", "key", lambda attempt: attempt.put("a.txt", b"right"))
    made.files["a.txt"].local(bucket).write_bytes(b"wrong")
    assert made.files["a.txt"].local(bucket).read_bytes() == b"right"


# Copies on the node

CHILD = """
    import sys
    from concurrent.futures import ThreadPoolExecutor
    from earmark.store import open_store, s3
    s3.PART_BYTES = 64 * 1024
    s3._pool = lambda process, pool=ThreadPoolExecutor(int(sys.argv[3])): pool
    fetched = []
    part = s3.S3._part
    def counted(self, key, start, length, until):
        fetched.append(start)
        return part(self, key, start, length, until)
    s3.S3._part = counted
    path = open_store(sys.argv[1]).local(sys.argv[2])
    print(len(fetched), path)
"""


def downloading(bucket, key, at_once):
    command = [sys.executable, "-c", textwrap.dedent(CHILD), bucket.uri, key, str(at_once)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def parts_there(cache, size):
    files = list(cache.rglob(f"*{PARTIAL}"))
    return files[0].read_bytes()[size:].count(1) if files else 0


def test_a_download_that_was_killed_goes_on_from_there(bucket, tmp_path):
    parts, size = 300, 300 * 64 * 1024 - 5
    data = noise(size)
    bucket.put("big", data)
    child = downloading(bucket, "big", 1)
    until(lambda: parts_there(tmp_path / "cache", size) > 20)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    there = parts_there(tmp_path / "cache", size)
    assert 20 < there < parts
    fetched, path = downloading(bucket, "big", 8).communicate()[0].split()
    assert int(fetched) == parts - there
    assert Path(path).read_bytes() == data
    assert list((tmp_path / "cache").rglob(f"*{PARTIAL}")) == []


def test_several_processes_at_once_download_once(bucket):
    size = 100 * 64 * 1024
    bucket.put("big", noise(size))
    children = [downloading(bucket, "big", 2) for _ in range(3)]
    told = [child.communicate()[0].split() for child in children]
    assert sum(int(fetched) for fetched, _ in told) == 100
    assert len({path for _, path in told}) == 1


def test_a_partial_copy_that_is_wrong_is_never_trusted(bucket, tmp_path):
    data = noise(100_000)
    bucket.put("a", data)
    path = bucket.local("a")
    path.unlink()
    path.with_name(path.name + PARTIAL).write_bytes(b"x" * 100_000 + b"\1")
    assert bucket.local("a").read_bytes() == data


def test_a_cache_that_cannot_be_written_is_named(bucket, monkeypatch, tmp_path):
    bucket.put("a", b"1")
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"cannot write the cache .* EARMARK_CACHE"):
        bucket.local("a")


# The server goes away


@pytest.fixture
def own(seaweedfs_own, monkeypatch, tmp_path):
    told(monkeypatch, seaweedfs_own, EARMARK_CACHE=tmp_path / "cache", EARMARK_S3_DEADLINE=60)
    monkeypatch.setattr(s3, "PART_BYTES", LEAST_PART)
    return seaweedfs_own


def small_parts(monkeypatch):
    """Downloads in so many parts that a kill falls among them."""
    monkeypatch.setattr(s3, "PART_BYTES", 256 * 1024)


def in_thread(work):
    outcome = {}

    def run():
        try:
            outcome["value"] = work()
        except Exception as error:
            outcome["error"] = error

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def uploads(server):
    return server.client()._list_multipart_uploads("earmark").uploads


def test_an_upload_and_a_download_outlive_a_restart_of_the_server(own, tmp_path, monkeypatch):
    store, data = fresh(), noise(12 * LEAST_PART)
    thread, outcome = in_thread(lambda: store.put("big", data))
    until(lambda: uploads(own))
    own.kill()
    assert thread.is_alive()
    own.start()
    thread.join()
    assert outcome == {"value": None}
    assert store.get("big") == data
    assert uploads(own) == []
    small_parts(monkeypatch)
    thread, outcome = in_thread(lambda: store.local("big").read_bytes())
    until(lambda: parts_there(tmp_path / "cache", len(data)) > 0)
    own.kill()
    assert thread.is_alive()
    own.start()
    thread.join()
    assert outcome == {"value": data}


def test_a_server_that_stays_away_ends_the_call_and_leaves_nothing_half_written(own, tmp_path, monkeypatch):
    data = noise(12 * LEAST_PART)
    fresh_store, long = fresh(), data * 4  # reading is faster than writing
    fresh_store.put("there", long)
    monkeypatch.setenv("EARMARK_S3_DEADLINE", "0.5")
    monkeypatch.setattr("earmark.store.access.SLOWEST_BYTES_A_SECOND", 50_000_000)
    store = open_store(fresh_store.uri)
    thread, written = in_thread(lambda: store.put("big", data))
    until(lambda: uploads(own))
    own.kill()
    thread.join()
    own.start()
    small_parts(monkeypatch)
    thread, read = in_thread(lambda: store.local("there").read_bytes())
    until(lambda: parts_there(tmp_path / "cache", len(long)) > 0)
    own.kill()
    thread.join()
    for outcome in (written, read):
        assert isinstance(outcome["error"], EarmarkError)
        assert not isinstance(outcome["error"], UserError)
        assert own.endpoint in str(outcome["error"])
        assert "run the same command again" in str(outcome["error"])
    own.start()
    assert fresh_store.head("big") is None
    assert [info.key for info in fresh_store.list()] == ["there"]
    assert fresh_store.local("there").read_bytes() == long


# What people get wrong


def test_a_missing_endpoint_or_key_is_named(bucket, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        with monkeypatch.context() as patch:
            patch.delenv(name)
            with pytest.raises(UserError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
                bucket.head("a")
    monkeypatch.setenv("EARMARK_S3_ENDPOINT", "s3.example.org")
    with pytest.raises(UserError, match="http:// or https://"):
        fresh()
    monkeypatch.delenv("EARMARK_S3_ENDPOINT")
    with pytest.raises(UserError, match="set EARMARK_S3_ENDPOINT"):
        fresh()


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_a_wrong_key_is_named_whatever_is_asked(bucket, monkeypatch, name):
    monkeypatch.setenv(name, "wrong-one")
    calls = [bucket.get, bucket.head, bucket.local, bucket.delete, lambda key: bucket.put(key, b"1")]
    for call in [*calls, lambda key: list(bucket.list(key))]:
        with pytest.raises(UserError, match=r"refuses the key .*: check AWS_ACCESS_KEY_ID") as caught:
            call("a")
        assert "secret-of-tests" not in str(caught.value)


def test_keys_come_from_mounted_files_and_may_be_replaced(bucket, seaweedfs, monkeypatch, tmp_path):
    keys = {name: value for name, value in seaweedfs.environment().items() if name.startswith("AWS_")}
    for name, value in keys.items():
        (tmp_path / name).write_text(value + "\n")
        monkeypatch.delenv(name)
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    bucket.put("a", b"1")
    (tmp_path / "AWS_SECRET_ACCESS_KEY").write_text("wrong")
    with pytest.raises(UserError, match="SignatureDoesNotMatch"):
        bucket.get("a")
    (tmp_path / "AWS_SECRET_ACCESS_KEY").write_text(keys["AWS_SECRET_ACCESS_KEY"])
    assert bucket.get("a") == b"1"
    (tmp_path / "AWS_SECRET_ACCESS_KEY").unlink()
    with pytest.raises(UserError, match=r"AWS_SECRET_ACCESS_KEY_FILE is .* cannot be read"):
        bucket.get("a")


def test_a_missing_bucket_is_named_whatever_is_asked(bucket):
    for call in ("get", "head", "local", "delete"):
        with pytest.raises(UserError, match=r"s3://no-such-bucket.* no such bucket"):
            getattr(open_store("s3://no-such-bucket/x"), call)("a")
    with pytest.raises(UserError, match="no such bucket"):
        list(open_store("s3://no-such-bucket").list())
    with pytest.raises(UserError, match="no bucket's name"):
        open_store("s3://No_Bucket/x")


def test_a_wrong_clock_is_named(bucket, monkeypatch):
    import datetime

    import minio.time

    real = minio.time.utcnow
    monkeypatch.setattr(minio.time, "utcnow", lambda: real() - datetime.timedelta(hours=1))
    for call in (bucket.get, bucket.head, lambda key: bucket.put(key, b"1")):
        with pytest.raises(UserError, match=r"its clock and this machine's differ"):
            call("a")


def test_the_wrong_scheme_is_named(bucket, monkeypatch, seaweedfs):
    monkeypatch.setenv("EARMARK_S3_ENDPOINT", seaweedfs.endpoint.replace("http:", "https:"))
    with pytest.raises(UserError, match=r"cannot be trusted .*EARMARK_S3_CA_FILE"):
        fresh().get("a")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a store of tests")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).add_extension(address, critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = made.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(hours=9))
    folder, pem = tmp_path_factory.mktemp("tls"), serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, *plain))
    return folder / "cert.pem", folder / "key.pem"


def test_a_server_with_tls_is_trusted_by_the_ca_that_is_given_and_by_no_other(certificate, monkeypatch):
    with running(certificate) as server:
        told(monkeypatch, server)
        with pytest.raises(UserError, match=r"cannot be trusted .*EARMARK_S3_CA_FILE"):
            fresh().put("a", b"1")
        monkeypatch.setenv("EARMARK_S3_CA_FILE", str(certificate[0]))
        store = fresh()
        store.put("a", noise(BIG))
        assert store.local("a").read_bytes() == store.get("a") == noise(BIG)
        monkeypatch.setenv("EARMARK_S3_CA_FILE", "nowhere.pem")
        with pytest.raises(UserError, match=r"EARMARK_S3_CA_FILE is nowhere\.pem, which is not there"):
            fresh()


# Identities with no more rights than they need


WRITES = {
    "features": [
        *("catalog/c/headers/a.parquet", "features/f/a.parquet", "results/build_catalog/k/done.json"),
        *("results/list_clips/k/done.json", "results/find_news/k/done.json", "results/assemble_dataset/k/done.json"),
        "results/extract_features/k/done.json",
    ],
    "trainer": [
        *("initial/i/weights.safetensors", "results/train_model/k/checkpoints/step-1/done.json"),
        *("results/evaluate_model/k/done.json", "results/evaluate_package/k/done.json"),
        "results/report_package/k/done.json",
    ],
    "exporter": [
        *("results/compare_models/k/done.json", "results/pool_models/k/done.json", "results/gate_model/k/done.json"),
        *("results/register_model/k/done.json", "results/export_embeddings/k/done.json"),
    ],
    "submitter": [],
}
"""What the steps of each identity write, beside records of runs."""


@pytest.mark.parametrize("identity", WRITES)
def test_each_identity_does_its_own_work_and_no_other(identity, bucket, seaweedfs, monkeypatch):
    told(monkeypatch, seaweedfs)
    sounds = f"{uuid.uuid4().hex}.wav"
    open_store("s3://sounds").put(sounds, b"sound")
    bucket.put("features/f/there.parquet", b"table")
    told(monkeypatch, seaweedfs, identity)
    assert bucket.get("features/f/there.parquet") == b"table"
    assert list(bucket.list("features/"))
    assert bucket.head(f"results/none/{identity}") is None
    own = ["runs/r/run.json", *WRITES[identity]]
    for key in own:
        assert bucket.put_new(key, b"1")
        bucket.put(key, b"2")
        bucket.delete(key)
    bucket.put(own[-1], noise(BIG))
    for key in {key for keys in WRITES.values() for key in keys} - set(own):
        with pytest.raises(UserError, match=f"{identity}-access has no right to this"):
            bucket.put(key, b"1")
    with pytest.raises(UserError, match=f"{identity}-access has no right to this"):
        bucket.put_new("elsewhere/a", b"1")
    assert open_store("s3://sounds").get(sounds) == b"sound"
    if identity == "submitter":
        open_store("s3://sounds").put(f"{sounds}.more", b"uploaded")
    else:
        with pytest.raises(UserError, match="has no right"):
            open_store("s3://sounds").put(sounds, b"other")


def test_a_backup_reads_everything_and_changes_nothing(bucket, seaweedfs, monkeypatch):
    told(monkeypatch, seaweedfs)
    bucket.put("runs/r/run.json", b"record")
    told(monkeypatch, seaweedfs, "backup")
    assert bucket.get("runs/r/run.json") == b"record"
    for change in (lambda: bucket.put("runs/r/run.json", b"other"), lambda: bucket.delete("runs/r/run.json")):
        with pytest.raises(UserError, match="backup-access has no right to this"):
            change()


def test_the_keys_of_the_process_are_in_no_message_of_the_sdk(bucket, monkeypatch):
    """What goes over the wire is signed: the secret itself is nowhere in what an error carries."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-wrong-secret")
    with pytest.raises(UserError) as caught:
        bucket.get("a")
    assert "a-wrong-secret" not in f"{caught.value} {caught.value.__cause__}"
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "a-wrong-secret"
