"""Secrets of the environment are in nothing that is written, told, compiled, or seen in the list of processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from answering import answering
from planted import SECRETS, command_lines, leaks, leaks_below, planted

from earmark.pipelines.cluster import read_cluster
from earmark.pipelines.graphs import GRAPHS, compile_graph
from earmark.store.access import Endpoint
from earmark.tracking.connection import one_line

EARMARK = Path(sys.executable).with_name("earmark")
ROOT = Path(__file__).parents[2]
REFUSED = """<?xml version="1.0"?><Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message></Error>"""


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EARMARK_", "MLFLOW_"))}
    return {**kept, "COLUMNS": "200", **more}


def run(folder, *arguments, **more):
    """All that a command prints, and the command lines of it and its children while it runs."""
    command = [str(EARMARK), *map(str, arguments)]
    with (folder / "told").open("w+b") as told:
        process = subprocess.Popen(
            command, stdout=told, stderr=told, cwd=folder, env=environment(**more), start_new_session=True
        )
        seen = []
        while True:
            seen += command_lines(process.pid)
            try:
                code = process.wait(0.2)
                break
            except subprocess.TimeoutExpired:
                continue
        told.seek(0)
        return code, told.read(), seen


def test_the_search_finds_a_secret(tmp_path):
    assert leaks(*planted("http://host").values()) == SECRETS.keys()
    (tmp_path / "a").write_text("x planted-aws-secret y")
    assert list(leaks_below(tmp_path).values()) == [{"AWS_SECRET_ACCESS_KEY"}]


def test_compiled_graphs(tmp_path, monkeypatch):
    for name, value in planted("http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    for name in GRAPHS:
        compile_graph(name, read_cluster(ROOT / "examples/clusters/cpu.yaml"), tmp_path / f"{name}.yaml")
    assert len(list(tmp_path.iterdir())) == len(GRAPHS)
    assert leaks_below(tmp_path) == {}


def test_a_run_whose_keys_the_object_store_refuses(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "here").mkdir()
    with answering(403, REFUSED, "application/xml") as (address, seen):
        store = {"EARMARK_S3_ENDPOINT": address, "EARMARK_STORE": "s3://results/x", "EARMARK_S3_DEADLINE": "2"}
        more = planted(address, tmp_path / "files") | store
        code, told, lines = run(tmp_path / "here", "run", "compare", "--data", "s3://sounds/x", "--steps", "9", **more)
    assert code == 2, told
    assert seen
    assert b"an-access-key" in told
    assert lines
    assert leaks(told, *lines) == set()
    assert leaks_below(tmp_path / "here") == {}


def test_a_server_of_mlflow_that_refuses(tmp_path):
    with answering(401, "no") as (address, seen):
        more = {**planted(address), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
        code, told, lines = run(tmp_path, "models", "--work", tmp_path / "work", **more)
    assert code in (1, 2), told
    assert seen
    assert b"refuses the login" in told
    assert leaks(told, *lines) == set()
    assert leaks_below(tmp_path / "work") == {}


def test_the_check_of_everything(tmp_path):
    (tmp_path / "here").mkdir()
    with answering(401, "no") as (address, _):
        more = planted(address) | {"EARMARK_S3_ENDPOINT": address, "EARMARK_STORE": "s3://results/x"}
        more |= {"EARMARK_S3_DEADLINE": "2", "KFP_ENDPOINT": address, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
        _, told, lines = run(tmp_path / "here", "check", **more)
    assert b"MLFLOW" in told
    assert leaks(told, *lines) == set()
    assert leaks_below(tmp_path / "here") == {}


def test_users_in_addresses_are_not_told(monkeypatch):
    error = RuntimeError("API request to http://user:planted-uri-password@host/api failed\nwith <planted>")
    assert one_line(error) == "API request to http://host/api failed with <planted>"
    monkeypatch.setenv("EARMARK_S3_ENDPOINT", "https://key:planted-aws-secret@s3.example.org")
    with pytest.raises(ValueError, match="EARMARK_S3_ENDPOINT holds a user") as refusal:
        Endpoint.from_environment()
    assert leaks(str(refusal.value)) == set()
