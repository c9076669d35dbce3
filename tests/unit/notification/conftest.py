"""A receiver of webhooks, and runs as their steps leave them."""

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from earmark.store import Manifest, open_store
from earmark.store.runs import Run, begin, now, record

PATH = "/services/T000/a-path-that-is-secret"


class Receiver:
    """What a chat's webhook is to the sender: it keeps bodies, and answers as it is told."""

    def __init__(self):
        self.bodies, self.answers = [], []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.bodies.append((self.path, self.headers["Content-Type"], json.loads(body)))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}{PATH}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def last(self):
        """The last body."""
        return self.bodies[-1][2]


@pytest.fixture
def receiver(monkeypatch):
    """A webhook's receiver, which ``EARMARK_WEBHOOK_URL`` names."""
    made = Receiver()
    monkeypatch.setenv("EARMARK_WEBHOOK_URL", made.url)
    yield made
    made.server.shutdown()
    made.server.server_close()


class Made:
    """A run under way: steps hand on what they like."""

    def __init__(self, root, pipeline="compare"):
        self.store, self.run = open_store(root), f"{pipeline}-1f3a9c2e"
        self.record = Run(self.run, pipeline, "s3://sounds/birds", "birds", "quick", ("vgg", "alexnet"), now())
        record(self.store, self.record)
        begin(self.store, self.run)

    def hand_on(self, step, facts=None, files=None):
        """A step's result, as the adapter records it."""
        manifest = Manifest(step.partition(".")[0], "key", "digest", files or {}, facts or {})
        self.store.put(f"runs/{self.run}/{step}.json", manifest.to_json().encode())

    def fail(self, step, variant, cause):
        """A variant's failure, as the adapter records it."""
        manifest = Manifest.failure(step, variant, cause)
        self.store.put(f"runs/{self.run}/{step}.{variant}.json", manifest.to_json().encode())

    def start_again(self):
        """The same command, later; its first step has not ended yet."""
        record(self.store, replace(self.record, started="2099-01-01T00:00:00Z"))


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A comparison under way; MLflow has no file yet."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("EARMARK_PROGRESS", "plain")
    return Made(tmp_path / "store")


@pytest.fixture
def make_run(tmp_path):
    """A run of any pipeline under way."""
    return lambda pipeline: Made(tmp_path / "other", pipeline)
