"""A step that is killed by the system, not by a test's exception, and run again."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from made_run import make_run

from earmark.progress import Progress
from earmark.registry import list_models, register_model
from earmark.store import open_store

STEP = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from made_run import PROGRESS, make_run
from earmark.registry import register
from earmark.store import open_store

register.make_challenger = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
made = make_run(open_store(sys.argv[1]))
register.register_model(open_store(sys.argv[1]), *made.arguments, "esc10", made.context, PROGRESS)
"""


def test_killed_between_version_and_alias_and_run_again_there_is_one_version(tmp_path, mlflow_db):
    support = Path(__file__).parents[2] / "support"
    killed = subprocess.run(
        [sys.executable, "-c", STEP, tmp_path / "store", support], env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert killed.returncode == -signal.SIGKILL
    assert [(m.version, m.aliases) for m in list_models()] == [(1, ())]
    store = open_store(tmp_path / "store")
    made = make_run(store)
    again = register_model(store, *made.arguments, "esc10", made.context, Progress("x", mode="off"))
    assert again.facts["version"] == 1
    assert [(m.version, m.aliases) for m in list_models()] == [(1, ("challenger",))]
