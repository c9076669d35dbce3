"""Checks of MLflow: a server's address, host check, credentials, version, database and artifacts; or an SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from earmark.checking.lines import Line, one_line
from earmark.checking.reach import TIMEOUT_SECONDS, away, clock_line, reach
from earmark.checking.room import disk_line, why_not_writable
from earmark.tracking.connection import DEFAULTS, sqlite_file, tracking_uri

PART = "mlflow"
CREDENTIALS = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"


def check_mlflow() -> Iterator[Line]:
    """Lines about what ``MLFLOW_TRACKING_URI`` names. Nothing is left in it."""
    uri = tracking_uri()
    file = sqlite_file(uri)
    if file is not None:
        yield from _check_file(file)
    elif urlsplit(uri).scheme in ("http", "https"):
        yield from _check_server(uri.rstrip("/"))
    else:
        hint = "give the address of an MLflow server (http://…), or leave it out for a file in the work folder"
        yield Line("bad", PART, f"MLFLOW_TRACKING_URI is {uri}", hint)


def _check_file(file: Path) -> Iterator[Line]:
    if not file.exists():
        reason = why_not_writable(file.parent)
        hint = "give it to this user, or choose another with --work"
        yield (
            Line("bad", PART, f"{file.parent} cannot be written ({reason})", hint)
            if reason
            else Line("ok", PART, f"{file} is made by the first run")
        )
        return
    try:
        # A lock taken and given back: what a write needs, without one.
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=2.0)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
            experiments = database.execute("SELECT count(*) FROM experiments").fetchone()[0]
    except sqlite3.Error as error:
        hint = (
            "end the run or the `earmark ui` that writes to it, or check again later"
            if "locked" in str(error)
            else "give the file and its folder to this user; a damaged file can be moved away, results stay"
        )
        yield Line("bad", PART, f"{file}: {error}", hint)
        return
    yield Line("ok", PART, f"{file} can be written, {experiments} experiments")
    yield disk_line(PART, file.parent)


def _check_server(uri: str) -> Iterator[Line]:
    insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    ca_file = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or os.environ.get("REQUESTS_CA_BUNDLE")
    answer = reach(f"{uri}/version", ca_file, verify=not insecure)
    if isinstance(answer, str):
        yield away(PART, uri, answer, "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_SERVER_CERT_PATH")
        return
    yield Line("ok", PART, f"{uri} answers in {1000 * answer.seconds:.0f} ms")
    yield clock_line(PART, answer)
    for line in _version(uri, answer.status, answer.text):
        yield line
        if line.mark == "bad":
            return
    searched = yield from _ask(uri, "/api/2.0/mlflow/experiments/search", "its database answers")
    if searched:
        yield from _ask(uri, "/api/2.0/mlflow-artifacts/artifacts", "its artifact store answers")


def _version(uri: str, status: int, text: str) -> Iterator[Line]:
    ours, theirs = version("mlflow"), text.strip()
    if status in (401, 403) and not theirs.startswith("<"):
        return  # what follows tells of credentials
    if status != 200 or not theirs[:1].isdigit():
        hint = "correct MLFLOW_TRACKING_URI (a path such as /mlflow may be missing, or a gateway wants its own login)"
        yield Line("bad", PART, f"{uri} does not answer as MLflow does ({status} for its version)", hint)
    elif theirs.split(".")[0] != ours.split(".")[0] or _parts(theirs) < (3, 0):
        hint = f"install mlflow {ours} on the server, or the server's version here"
        yield Line("bad", PART, f"the server is MLflow {theirs}, the client {ours}", hint)
    elif _parts(theirs) < _parts(ours):
        hint = f"update the server to {ours}: newer calls fail on it"
        yield Line("note", PART, f"the server is MLflow {theirs}, older than the client {ours}", hint)
    else:
        yield Line("ok", PART, f"the server is MLflow {theirs}, the client {ours}")


def _parts(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def _ask(uri: str, path: str, well: str) -> Generator[Line, None, bool]:
    """A request as the client makes it, with its credentials; what it tells, and whether it went well."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    from mlflow.exceptions import MlflowException
    from mlflow.tracking._tracking_service.utils import get_default_host_creds  # type: ignore[attr-defined]
    from mlflow.utils.rest_utils import http_request

    query = {"max_results": "1"} if "search" in path else {}
    try:
        answer = http_request(  # type: ignore[no-untyped-call]
            get_default_host_creds(uri),  # type: ignore[no-untyped-call]
            path,
            "GET",
            max_retries=0,
            timeout=TIMEOUT_SECONDS,
            raise_on_status=False,
            params=query,
        )
    except MlflowException as error:
        yield Line("bad", PART, f"{uri}{path} does not answer ({one_line(error)})", mendable=False)
        return False
    line = judge(uri, answer.status_code, path, one_line_text(answer.text), well)
    yield line
    return line.mark == "ok"


def judge(uri: str, status: int, path: str, text: str, well: str) -> Line:
    """The line about an answer of an MLflow server's interface."""
    artifacts = "artifacts" in path
    if status == 200:
        return Line("ok", PART, well)
    if status == 401:
        return Line("bad", PART, "the server does not accept the credentials (401)", CREDENTIALS)
    if status == 403 and "Host header" in text:
        host = urlsplit(uri).netloc
        hint = f"start `mlflow server` with --allowed-hosts {host} (or MLFLOW_SERVER_ALLOWED_HOSTS)"
        return Line("bad", PART, f"the server refuses the host name {host} (403)", hint)
    if status == 403:
        hint = f"give this user rights there, or other credentials ({CREDENTIALS})"
        return Line("bad", PART, f"this user may not read {path} (403)", hint)
    if artifacts and status in (404, 501, 503):
        hint = "start `mlflow server` with --serve-artifacts, or give every step the rights to its artifact store"
        return Line("note", PART, f"the server keeps no artifacts for its clients ({status})", hint)
    what = "its artifact store" if artifacts else "its database"
    hint = f"see the server's log: {what} is away, or was made by another version (`mlflow db upgrade`)"
    return Line("bad", PART, f"the server fails at {what} ({status}: {text})", hint, mendable=False)


def one_line_text(text: str) -> str:
    """A server's words in a line of at most 120 characters."""
    words = " ".join(text.split())
    return words if len(words) <= 120 else words[:117] + "..."
