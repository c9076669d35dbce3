"""What several test folders share: the example clips, and a small dataset cut from them."""

import csv
import inspect
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# A time limit per example fails on a busy machine and says nothing of the code.
settings.register_profile("earmark", deadline=None)
settings.load_profile("earmark")

# Started in the background by a shell, pytest ignores SIGINT, and so would every process that tests send it to.
signal.signal(signal.SIGINT, signal.default_int_handler)

TESTS = Path(__file__).parent
EXAMPLES = TESTS.parent / "examples" / "esc10"
LONGEST = ("pipelines", "integration", "unit/training", "unit/pipelines")


def pytest_collection_modifyitems(items):
    """The long ones first, so that no worker is left with one at the end."""
    items.sort(key=lambda item: _rank(item.path.relative_to(TESTS).as_posix()))


def _rank(path):
    return next((rank for rank, folder in enumerate(LONGEST) if path.startswith(folder)), len(LONGEST))


def _stack(_context=1):
    frame, found = sys._getframe(1), []
    while frame is not None:
        code = frame.f_code
        found.append(inspect.FrameInfo(frame, code.co_filename, frame.f_lineno, code.co_name, None, None))
        frame = frame.f_back
    return found


# KFP looks at the whole stack with its sources for the name of one function, seventy times a graph. Under xdist, whose
# own frames have no file, each look goes through all modules: seconds a graph.
inspect.stack = _stack


@pytest.fixture(autouse=True)
def same_environment():
    """A command that runs in this process sets variables for its steps: none is left to the next test."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def examples():
    """120 real clips of ten labels in three folds, with their CSV."""
    return EXAMPLES


@pytest.fixture(scope="session")
def three_labels(tmp_path_factory):
    """36 real clips of three labels in three folds, as a folder with a CSV."""
    folder = tmp_path_factory.mktemp("data") / "three"
    (folder / "audio").mkdir(parents=True)
    with (EXAMPLES / "clips.csv").open() as file:
        rows = list(csv.DictReader(file))
    kept = [row for row in rows if row["label"] in sorted({row["label"] for row in rows})[:3]]
    with (folder / "clips.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(kept)
    for row in kept:
        shutil.copy(EXAMPLES / "audio" / row["filename"], folder / "audio")
    return folder
