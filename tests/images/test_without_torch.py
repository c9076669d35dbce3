"""The stand-in for the steps image's missing torch, which whole graphs are tested under, does its work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPONENTS = {path.parent.name: path.read_text() for path in ROOT.glob("components/*/component.py")}


def finds_torch(*arguments):
    """Whether a Python that was started with these arguments could import torch."""
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
    told = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "support" / "without_torch")}
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, env=told, check=False)
    assert done.returncode == 0 or b"the steps image has none" in done.stderr
    return done.returncode == 0


def test_every_component_is_of_one_of_the_two_images():
    for name, source in COMPONENTS.items():
        assert ("base_image=STEPS_IMAGE" in source) != ("base_image=TRAIN_IMAGE" in source), name


@pytest.mark.parametrize(
    ("name", "found"), [("build_catalog", False), ("compare_models", False), ("train_model", True)]
)
def test_a_step_of_the_steps_image_finds_no_torch(name, found):
    assert finds_torch("--component_module_path", "any.py", "--function_to_execute", name) is found


def test_other_processes_find_it():
    assert finds_torch()
