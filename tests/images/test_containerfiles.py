"""The rules of the Containerfiles, read as text: what a build would take minutes to show."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
IMAGES = ("mlflow", "steps", "train")
BIN = Path(sys.executable).parent


@pytest.fixture(params=IMAGES)
def path(request):
    return ROOT / "images" / request.param / "Containerfile"


@pytest.fixture
def stages(path):
    """Instructions of each stage, continued lines joined and comments left out."""
    text = re.sub(r"(?m)^#.*\n", "", path.read_text()).replace("\\\n", " ")
    return [[line for line in stage.splitlines() if line.strip()] for stage in re.split(r"(?m)^(?=FROM )", text)[1:]]


def requirements(*options):
    command = [sys.executable, "images/requirements.py", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[:-1]


def wanted(path):
    """What the Containerfile has pip install: the requirements that it asks of pyproject.toml."""
    asked = re.findall(r"requirements\.py ?(.*?) > ", path.read_text())
    return [line for options in asked for line in requirements(*options.split())]


def test_there_is_a_containerfile_for_every_image_and_no_other():
    assert sorted(p.parent.name for p in ROOT.glob("images/*/Containerfile")) == sorted(IMAGES)


def test_hadolint_finds_nothing(path):
    done = subprocess.run([BIN / "hadolint", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_ignored_rule_is_explained_in_the_line_before(path):
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if ignored := re.match(r"# hadolint ignore=(.+)", line):
            assert all(f"{rule}: " in lines[number - 1] for rule in ignored[1].split(",")), line


def test_the_base_is_a_build_argument_with_a_full_name(path):
    lines = path.read_text().splitlines()
    bases = {line.split()[1] for line in lines if line.startswith("FROM ")}
    assert bases == {"${BASE_IMAGE}"}
    [default] = [line for line in lines if line.startswith("ARG BASE_IMAGE=")]
    assert re.fullmatch(r"ARG BASE_IMAGE=[a-z.]+/[a-z/]+:3\.1[1-9]\S*", default)


def test_the_image_runs_as_nobody_special_and_leaves_the_command_to_kubeflow(stages):
    for stage in stages:
        assert not [line for line in stage if line.startswith(("ENTRYPOINT", "CMD"))]
    [user] = [line for line in stages[-1] if line.startswith("USER ")]
    uid, gid = user.removeprefix("USER ").split(":")
    assert int(uid) >= 10000
    assert int(gid) >= 10000
    after = stages[-1][stages[-1].index(user) :]
    assert not [line for line in after if line.startswith(("RUN", "COPY"))]


def test_what_runs_writes_below_tmp_alone(stages):
    [variables] = [line for line in stages[-1] if line.startswith("ENV ")]
    assert {"HOME=/tmp", "PYTHONDONTWRITEBYTECODE=1"} <= set(variables.split())
    assert re.search(r"\bUSER=\w+", variables)  # torch's compiler asks who it is, and 10001 has no name


def test_versions_come_from_the_constraints_alone(stages):
    for stage in stages:
        text = "\n".join(stage)
        assert not re.search(r"[=<>~!]=\s*\d", text.replace("PYTHON", "")), "a version beside the constraints"
        installs = re.findall(r"pip (?:--python \S+ )?(?:install|wheel|download)\b[^&]*", text)
        for install in installs:
            offline = "--no-index" in install or "--no-build-isolation" in install
            assert offline or re.search(r"-r \w+\.txt", install), install
            assert offline or "PIP_CONSTRAINT=/build/constraints.txt" in text, install
            assert offline or any(line.startswith("COPY constraints.txt") for line in stage), install


def test_every_package_that_is_installed_has_its_version_in_the_constraints(path):
    pinned = {canonicalize_name(line.split("==")[0]) for line in (ROOT / "constraints.txt").read_text().split()}
    left, seen = [Requirement(line) for line in wanted(path)], set()
    while left:
        requirement = left.pop()
        extras = ("", *sorted(requirement.extras))
        name = canonicalize_name(requirement.name)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        assert name in pinned, f"{name} is not in constraints.txt"
        if name != "earmark":
            needs = map(Requirement, distribution(name).requires or ())
            left += [n for n in needs if n.marker is None or any(n.marker.evaluate({"extra": e}) for e in extras)]
    assert len(seen) > 20


def test_steps_and_train_hold_kfp_and_what_earmark_needs_and_only_train_holds_torch():
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    files = {name: wanted(ROOT / "images" / name / "Containerfile") for name in ("steps", "train")}
    assert set(stated) <= set(files["train"])
    assert {re.split(r"\W", line)[0] for line in set(stated) - set(files["steps"])} == {"torch", "torchaudio"}
    assert any(line.startswith("kfp[") for line in files["steps"])


def test_the_server_installs_mlflow_and_its_clients_and_not_earmark():
    names = {re.split(r"[^\w-]", line)[0] for line in wanted(ROOT / "images" / "mlflow" / "Containerfile")}
    assert names == {"mlflow", "boto3", "flask-wtf", "psycopg2-binary"}


def test_a_name_that_the_project_does_not_have_is_refused():
    command = [sys.executable, "images/requirements.py", "--without", "pytorch"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pyproject.toml has no pytorch" in done.stderr


def test_labels_say_what_it_is_and_what_it_was_made_of(stages):
    [labels] = [line for line in stages[-1] if line.startswith("LABEL ")]
    for name in ("title", "description", "licenses", "version", "revision", "source"):
        assert f"org.opencontainers.image.{name}=" in labels


def test_the_context_holds_what_is_copied_and_nothing_else():
    text = "\n".join((ROOT / "images" / name / "Containerfile").read_text() for name in IMAGES)
    copies = re.findall(r"(?m)^COPY (?!--from)(.+)$", text)
    copied = {source for line in copies for source in line.split()[:-1]}
    ignored = (ROOT / ".containerignore").read_text().splitlines()
    assert ignored[ignored.index("*") :][0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)
    assert (ROOT / ".dockerignore").readlink() == Path(".containerignore")  # docker knows that name alone
