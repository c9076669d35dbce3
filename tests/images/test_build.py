"""images/build: which builder it takes, and what it tells it. The builder here only writes down what it is told."""

import os
import subprocess
from pathlib import Path

import pytest

import earmark

ROOT = Path(__file__).parents[2]
BUILDER = """#!/bin/sh
[ "$1" != info ] || exit {info}
[ "$1" != images ] || echo "123 MB"
echo "$@" >> {log}
"""


@pytest.fixture
def build(tmp_path):
    """Run the script where only these builders are there, working ones and others."""
    log = tmp_path / "log"
    log.touch()

    def run(*images, builders=("podman",), broken=(), **settings):
        for name in (*builders, *broken):
            program = tmp_path / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(BUILDER.format(info=int(name in broken), log=log))
            program.chmod(0o755)
        for name in ("bash", "dirname", "sed", "git", "env"):
            (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
        told = {"PATH": str(tmp_path / "bin"), "HOME": os.environ["HOME"], **settings}
        command = ["/usr/bin/env", "bash", ROOT / "images" / "build", *images]
        done = subprocess.run(command, cwd=tmp_path, env=told, capture_output=True, text=True, check=False)
        return done, [line for line in log.read_text().splitlines() if " -f " in line]

    return run


def test_all_three_are_built_from_the_repository_and_named_by_the_version(build):
    done, told = build()
    assert done.returncode == 0, done.stderr
    for line, name in zip(told, ("steps", "train", "mlflow"), strict=True):
        assert line.startswith(f"build -f images/{name}/Containerfile -t ghcr.io/earmark/{name}:{earmark.__version__} ")
        assert f"--build-arg VERSION={earmark.__version__}" in line
        assert line.endswith(" .")
        assert "BASE_IMAGE" not in line
        assert f"ghcr.io/earmark/{name}:{earmark.__version__}  123 MB" in done.stdout
        assert f"podman push ghcr.io/earmark/{name}:{earmark.__version__}" in done.stdout


def test_settings_reach_the_builder(build):
    settings = {"REGISTRY": "registry.example.org/team", "TAG": "7", "BASE_IMAGE": "registry.example.org/python:3.12"}
    settings |= {"PIP_CONF": "/etc/pip.conf", "TORCH_INDEX": "https://example.org/cpu", "BUILD_OPTIONS": "--pull --x y"}
    done, [steps, train] = build("steps", "train", builders=("buildah",), COMPILER="", **settings)
    assert done.returncode == 0, done.stderr
    assert steps.startswith("build --layers -f images/steps/Containerfile -t registry.example.org/team/steps:7 ")
    for line in (steps, train):
        assert "--build-arg BASE_IMAGE=registry.example.org/python:3.12" in line
        assert "--secret id=pip,src=/etc/pip.conf" in line
        assert line.endswith(" --pull --x y .")
    assert "--build-arg TORCH_INDEX=https://example.org/cpu --build-arg COMPILER= " in train
    assert "TORCH_INDEX" not in steps


def test_a_docker_without_its_server_is_passed_over(build):
    done, told = build("mlflow", builders=("docker",), broken=("podman", "buildah"))
    assert done.returncode == 0, done.stderr
    assert len(told) == 1
    assert "docker push" in done.stdout


def test_without_a_builder_it_says_so(build):
    done, told = build("mlflow", builders=(), broken=("docker",))
    assert done.returncode == 1
    assert "no builder works here (podman, buildah, docker)" in done.stderr
    assert told == []


def test_a_builder_that_is_asked_for_and_not_there_is_named(build):
    done, _ = build(BUILDER="nerdctl")
    assert done.returncode == 1
    assert "no builder works here (nerdctl)" in done.stderr


def test_an_image_that_there_is_not_is_named_before_anything_is_built(build):
    done, told = build("steps", "trian")
    assert done.returncode == 1
    assert "there is no image trian: steps, train, mlflow" in done.stderr
    assert told == []
