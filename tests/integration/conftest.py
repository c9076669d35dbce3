"""Real servers, each a process of its own on a free port, stopped by its pid."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from mlflow_database import migrated  # noqa: F401

READY_WITHIN_SECONDS = 90


class MlflowServer:
    """``mlflow server`` on an SQLite database, keeping artifacts for its clients."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**kept, **quiet}, start_new_session=True
            )
        until = time.monotonic() + READY_WITHIN_SECONDS
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "server.log").read_text()[-3000:]
            assert time.monotonic() < until, (self.folder / "server.log").read_text()[-3000:]
            time.sleep(0.1)

    def stop(self):
        """End it and its workers."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _answers(self):
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


@pytest.fixture(scope="session")
def running_server(migrated, tmp_path_factory):  # noqa: F811
    """One server for the tests that leave it running."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(migrated, folder / "mlflow.db")
    server = MlflowServer(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def addressed_server(running_server, monkeypatch):
    """The server as steps are told of it, running or not."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", running_server.uri)
    # a server that is away is noticed at once instead of after seconds
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return running_server


@pytest.fixture
def mlflow_server(addressed_server):
    """The server, running: another test's outage is over."""
    if addressed_server.process is None:
        addressed_server.start()
    return addressed_server
