"""The way to MLflow: where it is, opened without its chatter, and patient while SQLite is locked by another step."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import sleep as pause
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from mlflow import MlflowClient

from earmark.errors import EarmarkError, UserError

SQLITE = "sqlite:///"
LOCKED_FOR_SECONDS = 30.0
LOCKED_POLL_SECONDS = 0.05
MAX_RACES = 5
TOKEN, TOKEN_FILE = "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_TOKEN_FILE"

DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    # MLflow's own defaults, 7 retries and 120 s, are four minutes of silence before a dead server is called dead
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    # else a client is sent to the object store itself, by an address that only the cluster's pods can resolve
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
}
"""What is set in MLflow's client unless the environment says otherwise."""

DAMAGED = ("file is not a database", "database disk image is malformed", "malformed database schema")
"""SQLite's words for a file that was altered."""

USER_IN_URL = re.compile(r"//[^/@\s]+@")

T = TypeVar("T")


def tracking_uri() -> str:
    """Where MLflow is: ``MLFLOW_TRACKING_URI``, by default SQLite in ``work/mlflow.db`` under the current folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{Path('work/mlflow.db').absolute()}"


def sqlite_file(uri: str) -> Path | None:
    """The database's file where the URI names an SQLite database, else None."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0]) if uri.startswith(SQLITE) else None


def artifact_location(uri: str) -> str | None:
    """Where a new experiment keeps its artifacts: ``mlartifacts`` beside an SQLite file; a server decides."""
    file = sqlite_file(uri)
    return None if file is None else (file.parent.absolute() / "mlartifacts").as_uri()


def connect(uri: str | None = None) -> MlflowClient:
    """A client for a tracking URI (default: :func:`tracking_uri`). Takes 2 s: MLflow's import and, once, its tables.

    Raises:
        UserError: the SQLite file is no database of MLflow's.
        mlflow.exceptions.MlflowException: the database cannot be opened.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    import mlflow

    logging.getLogger("alembic").setLevel(logging.WARNING)
    uri = uri or tracking_uri()
    read_token()
    file = sqlite_file(uri)
    if file is not None:
        _make_database(file)
        _check_database(file)
    # the registry's own look at a logged model goes to the global address, whatever the client's is
    mlflow.set_tracking_uri(uri)
    client = patiently(lambda: mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri))
    return cast("MlflowClient", _Patient(client))


def _make_database(file: Path) -> None:
    """Have MLflow make its tables in a file that gets its name once it is whole: killed among its many migrations, it
    could never open the file again. Of several makers at once the first makes it, the others wait.
    """
    import mlflow

    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    made = file.with_name(f".{file.name}.part")
    with file.with_name(f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if file.exists():
            return
        for left in (made, made.with_name(f"{made.name}-journal")):
            left.unlink(missing_ok=True)
        mlflow.MlflowClient(tracking_uri=f"{SQLITE}{made}", registry_uri=f"{SQLITE}{made}")
        made.rename(file)


def _check_database(file: Path) -> None:
    """Refuse what MLflow would fill with tables of its own: a file that was cut to nothing, or another database."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            database.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.DatabaseError as error:
        if "locked" not in str(error):
            raise UserError(f"MLflow's database {file}: {_damaged(str(error))}") from error


def _damaged(why: str) -> str:
    return (
        f"it is damaged, or another database ({why}): put a backup in its place, or move it away and run the same "
        "command again, which records anew what is finished"
    )


class _Patient:
    """An MLflow client whose every call is made again where the database took nothing of it (see ``patiently``)."""

    def __init__(self, client: MlflowClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._client, name)
        if not callable(member):
            return member

        def call(*args: Any, **named: Any) -> Any:
            read_token()
            return patiently(lambda: member(*args, **named))

        return call


def read_token() -> None:
    """Take the token from the file that ``MLFLOW_TRACKING_TOKEN_FILE`` names: Kubernetes writes a new one every hour.

    Raises:
        UserError: the file cannot be read.
    """
    file = os.environ.get(TOKEN_FILE)
    if not file:
        return
    try:
        os.environ[TOKEN] = Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UserError(f"{TOKEN_FILE} names {file}, which cannot be read: {reason}") from None


def patiently(call: Callable[[], T], seconds: float = LOCKED_FOR_SECONDS) -> T:
    """The call's result; made again for so many seconds while the database is locked, and after a race that it lost.

    MLflow looks before it inserts (a dataset, a tag), so of two steps that write the same one may fail; its transaction
    is rolled back, and the next try finds what the other wrote.
    """
    until, races = time.monotonic() + seconds, MAX_RACES
    while True:
        try:
            return call()
        except Exception as error:
            lost = lost_race(error)
            races -= lost
            again = races > 0 if lost else "database is locked" in str(error) and time.monotonic() < until
            if not again:
                raise
            pause(LOCKED_POLL_SECONDS)


def lost_race(error: Exception) -> bool:
    """Whether another call wrote the same thing first, as SQLite or PostgreSQL says it."""
    told = any(words in str(error) for words in ("IntegrityError", "UniqueViolation", "UNIQUE constraint"))
    return told and getattr(error, "error_code", "") != "RESOURCE_ALREADY_EXISTS"


def one_line(error: BaseException) -> str:
    """An error's cause in at most 200 characters: MLflow's carry stack traces, SQL, and addresses with users."""
    text = USER_IN_URL.sub("//", " ".join(str(error).split())) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."


def cause_of(error: BaseException, uri: str) -> str:
    """Why MLflow did not do it, in a line, with the remedy where one is known."""
    return remedy(error, uri) or one_line(error)


def remedy(error: BaseException, uri: str) -> str | None:
    """What the user can mend of an error; None where that is not known. No credentials are told."""
    text, host = str(error), urlsplit(uri).netloc.rpartition("@")[2]
    if (damage := next((words for words in DAMAGED if words in text), None)) is not None:
        return _damaged(damage)
    if "database or disk is full" in text:
        return "the disk of its database is full: free some space and run the same command again"
    if "attempt to write a readonly database" in text:
        return (
            "its database cannot be written: see to the rights of its file and folder, and that the disk takes writes"
        )
    status = _http_status(error)
    if "Invalid Host header" in text:
        return f"the server refuses the host name {host}: start `mlflow server` with --allowed-hosts {host}"
    if status == 401:
        return f"the server refuses the login: check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or {TOKEN}"
    if status == 403:
        return "the server says 403, not allowed: the user of MLFLOW_TRACKING_USERNAME, or the token, needs EDIT rights"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            "its certificate is not trusted: name the file of its authority's certificate "
            "in MLFLOW_TRACKING_SERVER_CERT_PATH"
        )
    if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text.upper().replace(" ", "_"):
        return "the server speaks no TLS there: write http:// in MLFLOW_TRACKING_URI"
    return None


@contextmanager
def mlflow_needed() -> Iterator[None]:
    """Tell an MLflow that fails, where a step cannot do without it, in a line with the remedy.

    Raises:
        UserError: host name, login or certificate are refused.
        EarmarkError: in place of MLflow's, the network's and the database's own.
    """
    try:
        yield
    except Exception as error:
        if not _from_mlflow(error):
            raise
        mend = remedy(error, tracking_uri())
        if mend is not None:
            raise UserError(f"MLflow at {shown_uri()}: {mend}") from error
        text = f"MLflow at {shown_uri()} failed: {one_line(error)}"
        raise EarmarkError(f"{text}; finished steps are kept, so run the same command again once it answers") from error


def shown_uri(uri: str | None = None) -> str:
    """A tracking URI without user and password."""
    uri = uri or tracking_uri()
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else uri


def _http_status(error: BaseException) -> int | None:
    from mlflow.exceptions import MlflowException

    if not isinstance(error, MlflowException):
        return None
    for status in (401, 403):
        if f"error code {status}" in str(error) or f" {status} " in str(error)[:200]:
            return status
    return None


def _from_mlflow(error: Exception) -> bool:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, MlflowException | SQLAlchemyError | OSError)
