"""What a command and a step cost beyond their work: start of the interpreter, imports, Kubeflow's executor.

Annotations are real here, not strings: KFP reads those of the components.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from kfp import dsl, local

from benchmarks.harness import Figure, Work, interleaved, ratios
from earmark.environment import changed_environment

TITLE = "Fixed costs of a command and a step"
EARMARK = str(Path(sys.executable).with_name("earmark"))
ROUNDS = {False: 3, True: 15}


@dsl.component(base_image="none", install_kfp_package=False)
def nothing() -> None:
    """A task of the local runner alone."""


@dsl.component(base_image="none", install_kfp_package=False)
def without_torch() -> None:
    """A step without work, and the rooms that those without torch use."""
    from earmark.components.adapter import step

    with step("build_catalog", "bench"):
        import earmark.catalog
        import earmark.features  # noqa: F401


@dsl.component(base_image="none", install_kfp_package=False)
def with_torch() -> None:
    """A step without work, and the rooms that those with torch use."""
    from earmark.components.adapter import step

    with step("evaluate_model", "bench"):
        import torch  # noqa: F401

        import earmark.evaluation
        import earmark.metrics  # noqa: F401


def measure(full: bool) -> Iterator[Figure]:
    """Processor time: one core does all of it, so that it is what one waits for on an idle machine."""
    works: dict[str, Work] = {
        "torch": _process(sys.executable, "-c", "import torch"),
        "help": _process(EARMARK, "--help"),
        "task": nothing,
        "plain": without_torch,
        "heavy": with_torch,
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        changed_environment(EARMARK_STORE=folder, EARMARK_PROGRESS="json"),
    ):
        local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=folder, raise_on_error=True)
        times = interleaved(works, ROUNDS[full], _processor_seconds)
    plain, heavy = tuple(times["plain"]), tuple(times["heavy"])
    bare = Figure("overhead/import-torch", "a process that imports torch", tuple(times["torch"]), "s", "less")
    yield bare
    yield Figure("overhead/help", "earmark --help", tuple(times["help"]), "s", "less", floor=0.35)
    yield Figure("overhead/task", "a task of kfp.local that does nothing", tuple(times["task"]), "s", "less")
    yield Figure("overhead/step", "a step without torch", plain, "s", "less", "", 16, 0.6, 0.3)
    note = f"import torch alone takes {bare.value:.2f} s here"
    yield Figure("overhead/step-torch", "a step with torch", heavy, "s", "less", "", 16, 2.0, 1.3, note)
    beyond = tuple(1 / share for share in ratios(times, "torch", "heavy"))
    yield Figure("overhead/step-torch/bare", "a step with torch", beyond, "x", "less", "a bare import torch")


def _processor_seconds() -> float:
    """Of this process and of all its children that ended."""
    return sum(os.times()[:4])


def _process(*command: str) -> Callable[[], object]:
    return lambda: subprocess.run(command, check=True, capture_output=True)
