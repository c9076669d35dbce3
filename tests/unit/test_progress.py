"""Progress is a JSON line for a watcher and a plain line for a log; it never floods either."""

import io
import json

from earmark.progress import Progress


def test_json_lines_tell_step_done_total_and_facts():
    stream = io.StringIO()
    progress = Progress("extract_features", "json", stream)
    progress.update(1, 3, "clips")
    progress.update(2, 3, "clips")
    progress.update(3, 3, "clips", loss=0.5)
    progress.note("nothing to do")
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [e["earmark"] for e in events] == ["progress", "progress", "note"]
    assert [e.get("done") for e in events] == [1, 3, None]
    assert events[1]["facts"] == {"loss": 0.5}
    assert {e["step"] for e in events} == {"extract_features"}


def test_plain_lines_are_for_people():
    stream = io.StringIO()
    progress = Progress("train_model/vgg", "plain", stream)
    progress.update(600, 600, "steps", loss=0.25)
    assert stream.getvalue().startswith("train_model/vgg: 600/600 steps")
    assert "loss=0.25" in stream.getvalue()


def test_off_is_silent():
    stream = io.StringIO()
    progress = Progress("step", "off", stream)
    progress.update(1, 1, "clips")
    progress.note("x")
    progress.event("done")
    assert stream.getvalue() == ""
