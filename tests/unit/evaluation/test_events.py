"""When labels are truly heard, read from a made corpus."""

import pytest

from earmark.evaluation.events import read_events, spans_of
from earmark.store import open_store

LISTED = "scene,label,clip,start_s,end_s\nscenes/a.wav,dog,x.wav,1.0,3.0\nscenes/a.wav,dog,y.wav,8,12.5\n"


@pytest.fixture
def events_in(tmp_path):
    def write(text):
        (tmp_path / "events.csv").write_bytes(text.encode() if isinstance(text, str) else text)
        return read_events(open_store(str(tmp_path)))

    return write


def test_events_are_cut_to_what_is_shown(events_in):
    events = events_in(LISTED)
    assert spans_of(events, "scenes/a.wav", 0.0, 10.0) == {"dog": [(1.0, 3.0), (8.0, 10.0)]}
    assert spans_of(events, "scenes/a.wav", 2.0, 5.0) == {"dog": [(0.0, 1.0)]}
    assert spans_of(events, "scenes/a.wav", 4.0, 2.0) == {}
    assert spans_of(events, "scenes/b.wav", 0.0, 10.0) == {}


def test_an_event_may_have_several_labels(events_in):
    events = events_in(LISTED.replace(",dog,x", ",dog;rain,x"))
    assert spans_of(events, "scenes/a.wav", 0.0, 5.0) == {"dog": [(1.0, 3.0)], "rain": [(1.0, 3.0)]}


@pytest.mark.parametrize("named", ["a.wav", "a"])
def test_scenes_may_be_named_by_their_file_alone(events_in, named):
    events = events_in(LISTED.replace("scenes/a.wav", named))
    assert set(spans_of(events, "scenes/a.wav", 0.0, 10.0)) == {"dog"}


@pytest.mark.parametrize(
    "text",
    ["", "when,what\n1,2\n", LISTED + "scenes/a.wav,dog,z.wav,soon,later\n", LISTED + "short\n", b"\xff\xfe\x00"],
)
def test_another_file_of_that_name_tells_nothing(events_in, text):
    assert events_in(text) == {}


def test_without_the_file_nothing_is_known(tmp_path):
    assert read_events(open_store(str(tmp_path))) == {}
