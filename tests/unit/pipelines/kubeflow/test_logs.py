"""A pod's log as events: what a step's progress writes is what is read."""

import io

import pytest

from earmark.pipelines.kubeflow.logs import Reader, event_of
from earmark.progress import Progress


def written(tell):
    stream = io.StringIO()
    tell(Progress("train_model/vgg", "plain", stream))
    return stream.getvalue().splitlines()


@pytest.mark.parametrize(
    ("tell", "expected"),
    [
        (lambda p: p.event("started"), {"earmark": "started"}),
        (
            lambda p: p.event("done", seconds=1.25, reused=True, failed=None),
            {"earmark": "done", "seconds": 1.25, "reused": True, "failed": None},
        ),
        (
            lambda p: p.event("done", seconds=2.0, reused=False, failed="the disk is full"),
            {"earmark": "done", "seconds": 2.0, "reused": False, "failed": "the disk is full"},
        ),
        (
            lambda p: p.event("error", message="no [such] label = dog", exit_code=2),
            {"earmark": "error", "message": "no [such] label = dog", "exit_code": 2},
        ),
        (lambda p: p.note("going on from step 30"), {"earmark": "note", "message": "going on from step 30"}),
    ],
)
def test_what_a_step_tells_is_read_back(tell, expected):
    [line] = written(tell)
    assert event_of(line) == {"step": "train_model/vgg", **expected}


def test_progress_is_read_back_with_its_facts():
    first, last = written(lambda p: (p.update(0, 600, "steps"), p.update(600, 600, "steps", loss=0.25, at="x")))
    assert event_of(first) | {"eta_seconds": None} == {
        "earmark": "progress",
        "step": "train_model/vgg",
        "done": 0,
        "total": 600,
        "unit": "steps",
        "eta_seconds": None,
        "facts": {},
    }
    found = event_of(last)
    assert (found["done"], found["facts"]) == (600, {"loss": "0.25", "at": "x"})
    assert event_of("extract_features: 20/36 clips, 3.4 clips/s, 5 s left errors=0")["eta_seconds"] == 5.0


LOG = """\
2026-11-28T16:41:27.549816811Z }
2026-11-28T16:41:27.853705967Z preflight: started
2026-11-28T16:41:27.866170307Z Traceback (most recent call last):
2026-11-28T16:41:27.866187272Z ModuleNotFoundError: No module named 'earmark.checking'
2026-11-28T16:41:27.866189245Z preflight: error message=No module named 'earmark.checking' exit_code=1
2026-11-28T16:41:28.364590640Z E1128 16:41:28.364222      14 launcher_v2.go:449] Component failed: exit status 1
2026-11-28T16:41:29.198962120Z time=2026-11-28T16:41:29.198Z level=INFO msg="exited" argo=1""".splitlines()


def test_a_log_that_grows_is_read_once_and_the_back_ends_own_lines_are_left_out():
    reader = Reader()
    assert [event["earmark"] for event in reader.read(LOG[:3])] == ["started"]
    assert not reader.failed
    assert [event["earmark"] for event in reader.read(LOG[1:])] == ["error"]
    assert reader.failed
    assert reader.tail[-1].startswith("preflight: error")
    assert "Traceback (most recent call last):" in reader.tail
    assert list(reader.read(LOG)) == []
