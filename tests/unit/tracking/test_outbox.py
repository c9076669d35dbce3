import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.tracking import DatasetFacts, RunContext
from earmark.tracking import outbox as room
from earmark.tracking.outbox import Outbox, Sender, folder_of, left_behind
from earmark.tracking.points import Point

URI = "http://mlflow:5000"
CONTEXT = RunContext("compare-1", "compare")


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    monkeypatch.setenv("EARMARK_WORK", str(tmp_path))
    return tmp_path


def sender(key="k"):
    return Sender(CONTEXT, DatasetFacts("d" * 32, "/clips", {"train": 60}), key, "alexnet", {"train.steps": "30"}, 1)


def points(count):
    return [Point("train/loss", 0.5, step, 1000 + step) for step in range(count)]


def test_what_a_process_left_is_read_once_and_gone_then():
    gone = Outbox(URI, sender())
    gone.add_points(points(3))
    gone.add(tags={"environment.device": "cpu"})
    gone.add(end={"status": "FAILED", "cause": "out of memory", "metrics": {}})
    gone.close(delivered=False)
    [found] = left_behind(URI, CONTEXT)
    assert found.sender == sender()
    assert (found.points, found.tags) == (points(3), {"environment.device": "cpu"})
    assert found.end == {"status": "FAILED", "cause": "out of memory", "metrics": {}}
    assert list(left_behind(URI, CONTEXT)) == []
    assert list(folder_of(URI, CONTEXT).iterdir()) == []


def test_a_file_stays_where_its_reader_failed():
    gone = Outbox(URI, sender())
    gone.add_points(points(1))
    gone.close(delivered=False)
    reader = left_behind(URI, CONTEXT)
    next(reader)
    reader.close()
    assert [found.points for found in left_behind(URI, CONTEXT)] == [points(1)]


def test_a_living_process_keeps_its_own():
    living = Outbox(URI, sender())
    living.add_points(points(1))
    assert list(left_behind(URI, CONTEXT)) == []
    living.close(delivered=True)
    assert not living.path.exists()


def test_another_runs_or_networks_points_stay():
    other = Outbox(URI, sender("other"))
    other.add_points(points(1))
    other.close(delivered=False)
    assert list(left_behind(URI, CONTEXT, "k")) == []
    assert list(left_behind("http://elsewhere", CONTEXT)) == []
    assert len(list(left_behind(URI, CONTEXT, "other"))) == 1


def test_what_is_delivered_is_not_read_again():
    box = Outbox(URI, sender())
    box.add_points(points(5))
    box.clear()
    box.add_points(points(2))
    box.close(delivered=False)
    assert [found.points for found in left_behind(URI, CONTEXT)] == [points(2)]


@given(cut=st.integers(2, 60))
def test_a_line_that_was_cut_off_costs_itself_alone(cut):
    box = Outbox(URI, sender())
    box.add_points(points(2))
    whole = box.path.stat().st_size
    box.add_points([Point("train/loss", 0.25, 2, 3)])
    length = box.path.stat().st_size
    box.close(delivered=False)
    with box.path.open("r+b") as file:
        file.truncate(max(whole, length - cut))
    assert [found.points for found in left_behind(URI, CONTEXT)] == [points(2)]


def test_a_disk_that_takes_nothing_stops_nothing(work):
    (work / "outbox").write_text("a file where the folder should be")
    box = Outbox(URI, sender())
    box.add_points(points(3))
    box.close(delivered=False)
    assert box.lost


def test_it_does_not_grow_without_end(monkeypatch):
    monkeypatch.setattr(room, "MAX_BYTES", 500)
    box = Outbox(URI, sender())
    for _ in range(100):
        box.add_points(points(1))
    assert box.lost
    assert box.path.stat().st_size <= 500
    box.close(delivered=True)
