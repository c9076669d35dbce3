"""The command as a user runs it: a process, its outputs, its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from planted import planted

from earmark.pipelines.cli import main

EARMARK = Path(sys.executable).with_name("earmark")
WITHOUT_TORCH = Path(__file__).parents[1] / "support" / "without_torch"
# Small and short, so that a whole graph takes seconds: what is tested is the chain, not the networks.
SMALL = ["--preset", "quick", "--architectures", "fully_connected,alexnet", "--steps", "12"]
SMALL += [f"--set={value}" for value in ("architecture.width=0.1", "train.batch_size=16", "train.precision=fp32")]
SMALL += ["--set=evaluate.bootstrap_resamples=100"]


def environment(**more):
    """This process's environment without what would lead a run elsewhere.

    Steps of the image without torch find none here either.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("EARMARK_", "MLFLOW_"))}
    return {**kept, "COLUMNS": "200", "PYTHONPATH": str(WITHOUT_TORCH), **more}


def earmark(*arguments, cwd=None, **more):
    """Run the command to its end."""
    command = [str(EARMARK), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment(**more), check=False)


@pytest.fixture
def refused(monkeypatch, capfd):
    """Runs the command in this process: it must end with exit code 2 and only errors, which are returned."""

    def run(*arguments):
        for name in [name for name in os.environ if name.startswith(("EARMARK_", "MLFLOW_"))]:
            monkeypatch.delenv(name)
        monkeypatch.setattr(sys, "argv", ["earmark", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capfd.readouterr()
        assert end.value.code == 2, printed.err
        assert printed.out == ""
        assert "Traceback" not in printed.err
        return printed.err

    return run


@pytest.fixture(scope="session")
def compared(three_labels, tmp_path_factory):
    """A finished comparison of two small networks: its work folder and the document it printed. Secrets that it has no
    use for stood in its environment."""
    work = tmp_path_factory.mktemp("compared") / "work"
    done = earmark("run", "compare", "--data", three_labels, "--work", work, *SMALL, "--json", **planted())
    log = "".join(path.read_text() for path in work.glob("logs/*.log"))
    assert done.returncode == 0, done.stderr + log[-5000:]
    return work, json.loads(done.stdout), done
