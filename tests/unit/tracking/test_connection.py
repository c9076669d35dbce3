"""MLflow's SQLite file: whole or not there, and never another one taken for it."""

import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from earmark.errors import UserError
from earmark.tracking import connect

DIES = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from earmark.tracking import connect

left = 3

@event.listens_for(Engine, "after_cursor_execute")
def die(connection, cursor, statement, *rest):
    global left
    left -= statement.strip().startswith("ALTER TABLE")
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

connect(sys.argv[1])
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A file whose maker was killed among MLflow's migrations."""
    file = tmp_path_factory.mktemp("killed") / "mlflow.db"
    told = [sys.executable, "-c", DIES, f"sqlite:///{file}"]
    died = subprocess.run(told, env=dict(os.environ), capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert not file.exists()
    return file


@pytest.fixture(scope="module")
def made(killed):
    """The same file, made again."""
    connect(f"sqlite:///{killed}")
    return killed


def test_killed_while_it_makes_its_tables_it_is_made_again(made):
    assert [each.name for each in connect(f"sqlite:///{made}").search_experiments()] == ["Default"]
    assert sorted(path.name for path in made.parent.iterdir()) == [".mlflow.db.lock", "mlflow.db"]


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "another"])
def test_a_damaged_database_is_named_with_the_remedy(made, tmp_path, damage):
    whole, file = made.read_bytes(), tmp_path / "mlflow.db"
    if damage == "another":
        with sqlite3.connect(file) as other:
            other.execute("CREATE TABLE birds (name TEXT)")
    else:
        file.write_bytes({"flipped": b"\xff" + whole[1:], "cut": whole[: len(whole) // 3], "empty": b""}[damage])
    before = file.read_bytes()
    with pytest.raises(UserError, match=r"mlflow\.db: it is damaged, or another database .* put a backup in its place"):
        connect(f"sqlite:///{file}")
    assert file.read_bytes() == before
