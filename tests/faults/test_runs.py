"""Whole runs on a full disk, a folder that becomes read-only, a clock that jumps, beside another run: the long form."""

import resource
import shutil
import signal
import struct
import subprocess
from pathlib import Path

import pytest
from life import Life, left_by, signalled

from earmark.store import open_store
from earmark.store.runs import list_runs

SMALL = ["--preset", "quick", "--steps", "12", "--set=architecture.width=0.05", "--set=train.batch_size=16"]
SMALL += ["--set=train.precision=fp32", "--set=evaluate.bootstrap_resamples=100"]
TRAINING = "train_model/fully_connected"
DAY = 86_400
CLOCK = Path(__file__).parents[1] / "support" / "clock.c"


def compare(data, network="fully_connected", *more):
    return ["run", "compare", "--data", data, "--architectures", network, *SMALL, *more]


@pytest.fixture(autouse=True)
def in_the_long_form_alone(long):
    if not long:
        pytest.skip("the long form alone: --long")


@pytest.fixture(scope="session")
def undisturbed(three_labels, tmp_path_factory):
    """What the run leaves that nothing happened to."""
    life = Life(tmp_path_factory.mktemp("undisturbed"), compare(three_labels))
    assert life.run() == 0, life.said()
    return left_by(life.work)


@pytest.fixture
def life(three_labels, tmp_path):
    return Life(tmp_path, compare(three_labels))


@pytest.fixture
def disk(life):
    """The work folder as a disk of its own; a call gives it another size."""
    life.work.mkdir()
    mount("-t", "tmpfs", "-o", "size=4g", "none", life.work)
    yield lambda size: mount("-o", f"remount,size={size}", life.work)
    subprocess.run(["umount", "-l", life.work], check=True)


def mount(*options):
    """Mount something, or skip the test."""
    if subprocess.run(["mount", *options], check=False, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount")


def ends_with_a_word(life, code, *words):
    """It failed, and its last line says what and what to do; no traceback."""
    lines = life.said().splitlines()
    assert code in (1, 2), life.said()
    assert "Traceback" not in life.said()
    assert all(word in lines[-1] for word in words), lines[-1]
    assert life.processes() == []


@pytest.mark.parametrize("step", ["extract_part/1", TRAINING, "evaluate_model/fully_connected", "register_model"])
def test_a_disk_that_is_full_is_named_and_once_there_is_room_the_run_ends_as_ever(life, disk, undisturbed, step):
    def fills(process):
        disk(shutil.disk_usage(life.work).used + 20_000)

    code = life.run({step: fills})
    assert "full" in life.said() or "No space" in life.said()
    ends_with_a_word(life, code)
    ends_with_a_word(life, life.run(), "room")
    disk("4g")
    assert life.run() == 0, life.said()
    assert left_by(life.work) == undisturbed


def test_files_that_may_not_be_as_large_are_named(life, undisturbed):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))

    life.before_start = limit
    ends_with_a_word(life, life.run(), "large")
    life.before_start = None
    assert life.run() == 0, life.said()
    assert left_by(life.work) == undisturbed


@pytest.mark.parametrize("step", ["extract_part/1", TRAINING, "register_model"])
def test_a_folder_that_becomes_read_only_is_named_and_once_it_can_be_written_the_run_ends_as_ever(
    life, undisturbed, step
):
    def closes(process):
        # A mount over itself: what is open stays so, what is opened from now on is read-only.
        mount("--bind", life.work, life.work)
        mount("-o", "remount,bind,ro", life.work)

    try:
        code = life.run({step: closes})
        ends_with_a_word(life, code)
        ends_with_a_word(life, life.run(), "cannot write", "--work")
    finally:
        subprocess.run(["umount", "-l", life.work], check=True)
    assert life.run() == 0, life.said()
    assert left_by(life.work) == undisturbed


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_clock_that_jumps_a_day_changes_no_result(life, undisturbed, tmp_path, jump):
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler for the clock")
    shim, shift = tmp_path / "clock.so", tmp_path / "shift"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, CLOCK, "-ldl"], check=True)
    shift.write_bytes(struct.pack("l", 0))
    life.environment |= {"LD_PRELOAD": str(shim), "CLOCK_SHIFT": str(shift)}

    def jumps(process):
        shift.write_bytes(struct.pack("l", jump))

    def jumps_back_and_dies(process):
        shift.write_bytes(struct.pack("l", -jump))
        signalled([process.pid, *life.processes()], signal.SIGKILL)

    assert life.run({"extract_part/1": jumps, TRAINING: jumps_back_and_dies}) == -signal.SIGKILL
    assert life.run({"compare_models": jumps}) == 0, life.said()
    assert left_by(life.work) == undisturbed


def test_two_runs_in_one_folder_at_once_end_as_each_alone(life, undisturbed, three_labels, tmp_path):
    other = Life(tmp_path, compare(three_labels, "alexnet", "--model", "other"))
    other._told = tmp_path / "other"
    codes = []
    codes.append(life.run({"preflight": lambda process: codes.append(other._start())}))
    assert (codes[1], codes[0].wait()) == (0, 0), life.said() + other.said()
    found = left_by(life.work)
    assert undisturbed["weights"].items() <= found["weights"].items()
    assert undisturbed["scores"].items() <= found["scores"].items()
    assert found["versions"] == [["earmark", 1, "READY"], ["other", 1, "READY"]]
    assert [point for point in undisturbed["MLflow's points"] if point not in found["MLflow's points"]] == []
    assert {run.state for run in list_runs(open_store(life.work / "store"))} == {"succeeded"}


def test_a_lost_database_is_recorded_anew(life, undisturbed):
    assert life.run() == 0, life.said()
    (life.work / "mlflow.db").unlink()
    assert life.run() == 0, life.said()
    found = left_by(life.work)
    assert {name: found[name] for name in ("weights", "versions", "aliases")} == {
        name: undisturbed[name] for name in ("weights", "versions", "aliases")
    }
