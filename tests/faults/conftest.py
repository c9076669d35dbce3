"""Faults that production brings. ``pytest tests/faults --long -s`` runs them all, with the kills of docs/faults.md."""

import pytest


def pytest_addoption(parser):
    """The long form, and how long it is."""
    parser.addoption("--long", action="store_true", help="the long form: every step of two pipelines is killed")
    parser.addoption("--kills", type=int, default=104, help="how many kills of a run's processes in the long form")
    parser.addoption("--kills-seed", type=int, default=0, help="seed of their instants and victims")
    parser.addoption("--kills-json", default="build/faults.json", help="where the long form writes its table")


@pytest.fixture(scope="session")
def long(request):
    """Whether the long form is wanted."""
    return bool(request.config.getoption("--long", default=False))


@pytest.fixture(scope="session")
def first_clips(three_labels, tmp_path_factory):
    """Two thirds of the clips of ``three_labels``: what was there before new ones came."""
    folder = tmp_path_factory.mktemp("data") / "first"
    folder.mkdir()
    (folder / "audio").symlink_to(three_labels / "audio")
    lines = (three_labels / "clips.csv").read_text().splitlines()
    (folder).joinpath("clips.csv").write_text("\n".join(line for i, line in enumerate(lines) if i % 3 != 2) + "\n")
    return folder
