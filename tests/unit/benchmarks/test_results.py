import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.__main__ import judge, main, page, write
from benchmarks.goals import GOALS, goals_table
from benchmarks.harness import Figure, interleaved, ratios
from benchmarks.machine import ROOT
from benchmarks.results import Results, losses, missed_floors, read_results

from earmark.errors import UserError

MACHINE = {
    **{"cpu": "A", "cores": 2, "amx": False, "memory_gib": 4.0, "gpus": [], "system": "Linux", "python": "3.11"},
    **{"packages": {"numpy": "2"}, "commit": "abc", "date": "2026-01-01T00:00:00+00:00", "load": 0.1},
}
FASTER = Figure("f/ogg/peer", "Ogg", (9.0, 10.0, 12.0), "x", "more", "peer", 2, 8.0, 11.0)
STEP = Figure("f/step", "A step", (0.5,), "s", "less", floor=1.0, wanted=0.3)


def results(*figures: Figure, **machine: object) -> Results:
    return Results({**MACHINE, **machine}, False, list(figures), {})


def test_a_loss_of_more_than_15_percent_is_flagged_and_a_gain_or_noise_is_not():
    old = results(FASTER, STEP)
    worse = results(replace(FASTER, values=(8.4,)), replace(STEP, values=(0.58,)))
    assert losses(worse, old) == [
        "f/ogg/peer: 10 before, 8.4 x now (16% worse)",
        "f/step: 0.5 before, 0.58 s now (16% worse)",
    ]
    noise = results(replace(FASTER, values=(8.6,)), replace(STEP, values=(0.57,)))
    gain = results(replace(FASTER, values=(20.0,)), replace(STEP, values=(0.1,)))
    assert losses(noise, old) == losses(gain, old) == []


def test_absolute_figures_are_not_compared_between_machines():
    worse = [replace(FASTER, values=(5.0,)), replace(STEP, values=(5.0,))]
    assert [line.split(":")[0] for line in losses(results(*worse, cpu="B"), results(FASTER, STEP))] == ["f/ogg/peer"]


def test_what_was_nothing_and_is_something_is_a_loss():
    lost = Figure("f/lost", "Lost", (0.0,), "clips", "less")
    assert losses(results(replace(lost, values=(1.0,))), results(lost)) != []


def test_a_missed_floor_ends_with_1_and_is_told(capsys):
    missed = replace(STEP, values=(1.5,))
    assert missed_floors([FASTER, missed]) == ["f/step: 1.5 s now, floor 1"]
    assert (judge(results(FASTER, missed), None), judge(results(FASTER, STEP), None)) == (1, 0)
    assert "below its floor: f/step" in capsys.readouterr().out
    assert judge(replace(results(FASTER), failed={"g": "no peer"}), None) == 1


def test_every_goal_has_its_line_with_the_figure_or_the_reason():
    lines = goals_table([FASTER], MACHINE).splitlines()[2:]
    assert len(lines) == len(GOALS) == 17
    assert "| Ogg: 10x (9 to 12) | peer | floor |" in lines[1]
    assert [lines[at].split(" | ")[-1] for at in (10, 13, 16)] == [
        "this CPU has no AMX |",
        "no H200 here (no GPU) |",
        "not measured in this run |",
    ]


def test_results_are_read_as_they_were_written(tmp_path: Path):
    found = results(FASTER, STEP)
    write(found, tmp_path)
    assert read_results(tmp_path / "quick.json") == found
    assert (tmp_path / "quick.md").read_text() == page(found)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UserError, match=r"other\.json: not a result of the benchmarks"):
        read_results(tmp_path / "other.json")


def test_works_take_turns_and_ratios_are_of_one_round():
    calls, ticks = [], iter(range(100))
    works = {name: (lambda name=name: calls.append(name)) for name in ("earmark", "a", "b")}
    times = interleaved(works, 3, lambda: float(next(ticks)))
    assert "".join(name[0] for name in calls) == "eab" + "eab" + "abe" + "bea"
    assert times == {name: [1.0] * 3 for name in works}
    assert ratios({"earmark": [1.0, 2.0], "a": [3.0, 8.0]}, "a") == (3.0, 4.0)


SUITE = """
from benchmarks.harness import Figure
TITLE = "Made for a test"
def measure(full):
    print("not a figure")
    yield Figure("{name}/a", "A", (2.0,), "x", "more")
    {then}
"""


def test_a_suite_that_fails_is_told_by_name_and_the_others_go_on(tmp_path: Path):
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("suites", "results"))
    suites = tmp_path / "benchmarks" / "suites"
    suites.mkdir()
    for name, then in (("bad", "raise OSError('no peer')"), ("dead", "import os; os._exit(9)"), ("good", "")):
        (suites / f"{name}.py").write_text(SUITE.format(name=name, then=then))
    ended = subprocess.run([sys.executable, "-m", "benchmarks"], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stdout.splitlines()[-2:] == [
        "failed: bad: OSError: no peer",
        "failed: dead: its process ended with 9",
    ]
    found = read_results(tmp_path / "build" / "bench" / "quick.json")
    assert [figure.name for figure in found.figures] == ["bad/a", "dead/a", "good/a"]


def test_an_unknown_suite_is_refused_with_the_nearest(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "featurs"])
    monkeypatch.setattr("benchmarks.__main__.titles", lambda: {"features": "F"})
    assert (main(), capsys.readouterr().err.split(" (")[0]) == (2, "unknown suite 'featurs'; did you mean 'features'?")
