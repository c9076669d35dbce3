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


def test_killed_while_it_makes_its_tables_it_is_made_again(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    died = subprocess.run([sys.executable, "-c", DIES, uri], env=dict(os.environ), capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert not (tmp_path / "mlflow.db").exists()
    assert [each.name for each in connect(uri).search_experiments()] == ["Default"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mlflow.db.lock", "mlflow.db"]


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "another"])
def test_a_damaged_database_is_named_with_the_remedy(migrated, tmp_path, damage):
    whole, file = migrated.read_bytes(), tmp_path / "mlflow.db"
    if damage == "another":
        with sqlite3.connect(file) as other:
            other.execute("CREATE TABLE birds (name TEXT)")
    else:
        file.write_bytes({"flipped": b"\xff" + whole[1:], "cut": whole[: len(whole) // 3], "empty": b""}[damage])
    before = file.read_bytes()
    with pytest.raises(UserError, match=r"mlflow\.db: it is damaged, or another database .* put a backup in its place"):
        connect(f"sqlite:///{file}")
    assert file.read_bytes() == before
