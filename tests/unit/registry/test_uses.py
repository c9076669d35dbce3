"""Who asks which models saw a recording is told all of them, whatever the file is called today."""

import shutil

import pytest
from made_run import make_run

from earmark.errors import UserError
from earmark.progress import Progress
from earmark.registry import parse_reference, register_model, trained_on
from earmark.store import open_store


@pytest.fixture
def clips(tmp_path, mlflow_db, monkeypatch):
    """Two models of the same clips, registered; the folder of the clips."""
    monkeypatch.setenv("EARMARK_WORK", str(tmp_path / "work"))
    made = make_run(open_store(tmp_path / "store"))
    for name in ("esc10", "other"):
        register_model(open_store(tmp_path / "store"), *made.arguments, name, made.context, Progress("x", mode="off"))
    return tmp_path / "clips"


def told(clip):
    return [(use.name, use.version, use.part, use.clips) for use in trained_on(str(clip))]


def test_every_model_that_trained_on_a_clip_is_listed_by_id_and_by_file(clips, tmp_path):
    expected = [(name, 1, "train", ("rain-train.wav",)) for name in ("esc10", "other")]
    assert told("rain-train.wav") == expected
    renamed = shutil.copy(clips / "rain-train.wav", tmp_path / "deleted-on-request.wav")
    assert told(renamed) == expected
    assert not list((tmp_path / "work" / "models").glob("*/weights.safetensors"))


def test_a_clip_that_only_scored_a_model_or_was_left_out_is_told_as_such(clips):
    assert {part for _, _, part, _ in told("rain-test.wav")} == {"test"}
    assert {part for _, _, part, _ in told(clips / "silent.wav")} == {"left out"}
    assert not any(use.trained for use in trained_on("rain-test.wav"))
    assert all(use.trained for use in trained_on("rain-validation.wav"))
    assert told("nobody-knows.wav") == []


def test_references_that_name_no_model_are_refused():
    assert parse_reference("models:/esc10/3") == ("esc10", "3")
    assert parse_reference("esc10@challenger") == ("esc10", "challenger")
    assert parse_reference("esc10") == ("esc10", "champion")
    with pytest.raises(UserError, match="is no model"):
        parse_reference("a/b/c")
