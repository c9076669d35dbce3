"""Whether a folder of clips is there and can be read, and the room to write: looked at, never changed."""

import os
from pathlib import Path

import pytest

from earmark.checking.data import check_data
from earmark.checking.lines import written
from earmark.checking.room import disk_line, why_not_writable


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    (folder / "cat").mkdir(parents=True)
    (folder / "cat" / "1.WAV").write_bytes(b"RIFF")
    (folder / "clips.csv").write_text("file,label\n")
    return folder


@pytest.mark.parametrize("named", ["", "/", "/clips.csv"])
def test_a_folder_and_a_csv_in_it_are_well(named, clips):
    assert [line.mark for line in check_data(f"{clips}{named}")] == ["ok"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("absent", "is not there: check the path given by --data"),
        ("clips/cat/1.WAV", "is a file: check the path given by --data"),
        ("clips/other.csv", "give the path of the CSV, or of a folder of audio"),
        ("empty", "no audio below"),
    ],
)
def test_what_is_wrong_with_a_folder_is_told_with_the_remedy(data, said, clips, tmp_path):
    (tmp_path / "empty").mkdir()
    [line] = check_data(str(tmp_path / data))
    assert line.mark == "bad"
    assert said in written(line)


def test_a_place_that_is_not_there_yet_is_judged_by_the_folder_it_would_be_made_in(tmp_path):
    assert why_not_writable(tmp_path / "a" / "b") == ""
    assert "GiB free" in disk_line("store", tmp_path / "a" / "b").what
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert why_not_writable(tmp_path / "file" / "b") == os.strerror(20)


def test_a_folder_that_goes_while_it_is_looked_at_makes_no_error(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    asked = os.access

    def gone(path, *more, **named):
        Path(folder).rmdir()  # another process takes it away between the two looks
        return asked(path, *more, **named)

    monkeypatch.setattr(os, "access", gone)
    assert why_not_writable(folder) == ""


@pytest.mark.parametrize("data", ["packed", "packed/sounds.zip"])
def test_an_archive_is_told_with_the_command_that_unpacks_it(data, tmp_path):
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "sounds.zip").write_bytes(b"PK")
    [line] = check_data(str(tmp_path / data))
    assert line.mark == "bad"
    assert f"earmark data unpack {tmp_path}/packed/sounds.zip --to {tmp_path}/packed" in written(line)


def test_json_lines_may_be_named(clips):
    (clips / "clips.jsonl").write_text("")
    assert [line.mark for line in check_data(f"{clips}/clips.jsonl")] == ["ok"]
    [line] = check_data(f"{clips}/other.jsonl")
    assert "other.jsonl is not there" in written(line)
