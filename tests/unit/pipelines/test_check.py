"""What `earmark check` makes of what it finds: limits, secrets, exit codes, clocks, files, GPUs."""

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.checking.lines import Line, exit_code, run_checks, written
from earmark.checking.mlflow import check_mlflow, judge
from earmark.checking.reach import Answer, clock_line, skew
from earmark.checking.store import check_store
from earmark.checking.versions import check_versions
from earmark.errors import EarmarkError, UserError
from earmark.pipelines.checking_machine import judge_gpus

SEARCH, ARTIFACTS = "/api/2.0/mlflow/experiments/search", "/api/2.0/mlflow-artifacts/artifacts"
LINES = st.builds(Line, st.sampled_from(["ok", "note", "bad"]), st.just("x"), st.just("y"), mendable=st.booleans())


def bad(lines):
    [line] = [line for line in lines if line.mark == "bad"]
    return line


@given(lines=st.lists(LINES))
def test_the_exit_code_is_2_where_the_user_can_mend_something_and_1_where_none_can(lines):
    bad = [line for line in lines if line.mark == "bad"]
    assert exit_code(lines) == (2 if any(line.mendable for line in bad) else 1 if bad else 0)


def test_a_check_that_hangs_keeps_its_lines_and_holds_up_nothing():
    release = threading.Event()

    def hangs():
        yield Line("ok", "slow", "began")
        release.wait()
        yield Line("ok", "slow", "ended")

    def quick():
        yield Line("ok", "quick", "done")

    lines = run_checks({"slow": hangs, "quick": quick}, limit=0.2)
    release.set()
    assert [line.what for line in lines] == ["began", "not checked to the end within 0.2 s", "done"]
    assert exit_code(lines) == 1


@pytest.mark.parametrize(
    ("error", "code"), [(UserError("name the bucket"), 2), (EarmarkError("away"), 1), (ZeroDivisionError("x"), 1)]
)
def test_a_check_that_fails_is_a_line(error, code):
    def fails():
        yield Line("ok", "part", "first")
        raise error

    lines = run_checks({"part": fails})
    assert [line.what for line in lines] == ["first", str(error)]
    assert exit_code(lines) == code


def test_no_secret_is_told(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abcdef123456")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2hunter2")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "trainer-key")

    def check():
        yield Line("bad", "x", "trainer-key with abcdef123456 at postgresql://me:pw@db/x", "not hunter2hunter2")

    [line] = run_checks({"x": check})
    assert written(line) == "✗ x         trainer-key with ••• at postgresql://•••@db/x: not •••"


@pytest.mark.parametrize(("seconds", "mark"), [(0, "ok"), (-59, "ok"), (61, "note"), (-300, "note"), (901, "bad")])
def test_clocks_are_told_apart_before_signatures_fail(seconds, mark):
    line = clock_line("store", Answer(200, "", 0.1, seconds))
    assert line.mark == mark
    if mark != "ok":
        assert ("ahead of" if seconds > 0 else "behind") in line.what
        assert "NTP" in line.remedy


def test_a_servers_time_is_read_from_its_answer():
    sent = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    assert skew("Thu, 01 Jan 2026 12:10:00 GMT", sent, 2.0) == 599
    assert skew(None, sent, 2.0) is None
    assert skew("yesterday", sent, 2.0) is None
    assert clock_line("store", Answer(200, "", 0.1, None)).mark == "note"


@pytest.mark.parametrize(
    ("status", "path", "text", "mark", "said"),
    [
        (200, SEARCH, "", "ok", "well"),
        (401, SEARCH, "You are not authenticated.", "bad", "MLFLOW_TRACKING_USERNAME"),
        (403, SEARCH, "Permission denied", "bad", "give this user rights"),
        (403, SEARCH, "Invalid Host header - possible DNS rebinding", "bad", "--allowed-hosts mlflow.example:5000"),
        (500, SEARCH, "OperationalError", "bad", "the server fails at its database (500: OperationalError)"),
        (503, ARTIFACTS, "disabled", "note", "--serve-artifacts"),
        (500, ARTIFACTS, "NoCredentialsError", "bad", "the server fails at its artifact store"),
    ],
)
def test_answers_of_mlflow_are_told_in_words(status, path, text, mark, said):
    line = judge("http://mlflow.example:5000", status, path, text, "well")
    assert line.mark == mark
    assert said in written(line)


def test_an_mlflow_file_is_made_later_or_written_now(monkeypatch, tmp_path):
    file = tmp_path / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
    assert [line.mark for line in check_mlflow()] == ["ok"]
    assert not file.exists()
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("CREATE TABLE experiments (name TEXT)")
        assert "can be written, 0 experiments" in next(check_mlflow()).what
        database.execute("BEGIN EXCLUSIVE")
        assert "end the run" in bad(check_mlflow()).remedy
    file.write_bytes(b"not a database at all, not a database at all")
    assert "file is not a database" in bad(check_mlflow()).what


def test_another_address_than_a_server_or_file_is_refused(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:secret@db/mlflow")
    [line] = run_checks({"mlflow": check_mlflow})
    assert "secret" not in written(line)
    assert "give the address of an MLflow server" in line.remedy


def test_a_store_below_a_file_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EARMARK_STORE", str(tmp_path / "file" / "store"))
    lines = run_checks({"store": check_store})
    assert "cannot write" in bad(lines).what
    assert exit_code(lines) == 2


@pytest.mark.parametrize(
    ("found", "driver", "processes", "promised", "said"),
    [
        ({"cuda": None, "gpus": 0}, 0, None, None, []),
        ({"cuda": None, "gpus": 0}, 2, None, None, ["2 GPUs, and torch is built without CUDA"]),
        ({"cuda": "13.0", "gpus": 0}, 2, None, None, ["2 GPUs, and torch sees none"]),
        ({"cuda": "13.0", "gpus": 2, "names": ["H100"] * 2}, 2, 4, 3, ["promises 3 GPUs", "is 4 and there are 2 GPUs"]),
        ({"cuda": "13.0", "gpus": 2, "names": ["H100"] * 2}, 2, 2, 2, []),
        ({"cuda": None, "gpus": 0}, 0, 4, None, []),
        ({"cuda": None, "gpus": 0}, 0, None, 1, ["promises 1 GPUs and 0 can be used"]),
    ],
)
def test_gpus_that_are_missing_are_told_with_both_numbers(found, driver, processes, promised, said):
    told = [line for line in judge_gpus(found, driver, processes, promised) if line.mark == "bad"]
    assert len(told) == len(said)
    for line, words in zip(told, said, strict=True):
        assert words in line.what
        assert line.remedy


def test_this_environment_has_the_versions_that_earmark_asks_for():
    assert {line.mark for line in check_versions()} == {"ok"}


def test_a_fresh_folder_is_well_and_stays_as_it_was(tmp_path):
    kept = {n: v for n, v in os.environ.items() if n not in ("EARMARK_STORE", "MLFLOW_TRACKING_URI")}
    done = subprocess.run(
        [sys.executable, "-m", "earmark.pipelines.cli", "check", "--work", str(tmp_path / "work")],
        env=kept | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {line[0] for line in done.stdout.splitlines()} <= {"✓", "!"}
    assert list(tmp_path.iterdir()) == []
