"""What is told, and how it is written."""

import csv
import inspect
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from earmark.errors import UserError
from earmark.evaluation import score_clip
from earmark.features import DecodeError, frames_of, open_blocks
from earmark.metrics import Calibration
from earmark.metrics.thresholds import Threshold
from earmark.tagging import Choice, Span, Tag, find_sounds, open_writer, tag_sound
from earmark.tagging.tags import Scale


def tags(dog, rain=0.1):
    return [Tag("dog", dog, dog, 0.5), Tag("rain", rain, rain, 0.5)]


def written(form, spans, choice=None):
    stream = io.StringIO()
    writer = open_writer(form, stream, choice or Choice(), "earmark/3")
    for span in spans:
        writer.write("a file.wav", span)
    return stream.getvalue()


SPANS = [
    Span(0.0, 0.96, tags(0.9)),
    Span(0.96, 1.92, tags(0.8, 0.7)),
    Span(1.92, 2.88, tags(0.1)),
    Span(2.88, 3.0, tags(0.6)),
    Span(0.0, 3.0, tags(0.6), whole=True),
]


def test_neighbouring_windows_are_one_label_of_audacitys_track():
    lines = [line.split("\t") for line in written("audacity", SPANS).splitlines()]
    assert lines == [
        ["0.000000", "1.920000", "dog"],
        ["0.960000", "1.920000", "rain"],
        ["2.880000", "3.000000", "dog"],
    ]


def test_overlapping_windows_are_merged_too():
    spans = [Span(0.24 * i, 0.24 * i + 0.96, tags(0.9)) for i in range(5)] + [Span(0, 1.92, tags(0.9), whole=True)]
    assert written("audacity", spans) == "0.000000\t1.920000\tdog\n"


def test_json_lines_carry_both_scores_and_the_threshold():
    documents = [json.loads(line) for line in written("jsonl", SPANS).splitlines()]
    assert [d["what"] for d in documents] == ["window"] * 4 + ["clip"]
    assert documents[-1]["tags"] == [{"label": "dog", "score": 0.6, "raw_score": 0.6, "threshold": 0.5, "heard": True}]
    assert documents[2]["tags"] == []
    assert documents[-1]["seconds"] == 3.0
    assert {d["model"] for d in documents} == {"earmark/3"}


def test_csv_has_a_row_a_label_and_one_header():
    rows = list(csv.DictReader(io.StringIO(written("csv", SPANS))))
    assert [(row["what"], row["label"]) for row in rows] == [
        ("window", "dog"),
        ("window", "dog"),
        ("window", "rain"),
        ("window", "dog"),
        ("clip", "dog"),
    ]


def test_a_line_for_people_tells_the_best_guess_where_nothing_is_heard():
    assert "– (dog 0.10)" in written("table", [Span(0.0, 1.0, tags(0.1, 0.05), whole=True)])


@pytest.mark.parametrize(
    ("choice", "expected"),
    [(Choice(), ["dog"]), (Choice(top=2), ["dog", "rain"]), (Choice(all=True), ["dog", "rain"])],
)
def test_labels_are_chosen_by_threshold_or_number(choice, expected):
    assert [tag.label for tag in choice.of(tags(0.6, 0.2))] == expected


def test_an_unknown_format_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"'jsonl'\?"):
        open_writer("json", io.StringIO(), Choice(), "")


def test_a_files_tags_are_those_of_score_clip(model, examples):
    path = sorted((examples / "audio").glob("*.ogg"))[7]
    *windows, clip = tag_sound(model, open_blocks(path), timeline_hop=0.96)
    expected = score_clip(model, frames_of(path.read_bytes(), model.features)[0]).scores_C
    assert clip.whole
    assert [tag.raw_score for tag in clip.tags] == pytest.approx(expected.tolist(), abs=1e-6)
    assert windows[-1].end_s == clip.end_s == pytest.approx(soundfile.info(str(path)).duration, abs=0.01)


def test_a_calibrated_model_tells_calibrated_scores_and_its_own_thresholds(model):
    needed = dict.fromkeys(inspect.signature(Threshold).parameters, 0)
    thresholds = tuple(Threshold(**{**needed, "value": value}) for value in (0.2, 0.5, 0.9))
    calibration = Calibration("sigmoid", "temperature", (2.0,) * 3, (0.0,) * 3, thresholds)
    raw_C = np.array([0.6, 0.4, 0.5], np.float32)
    found = Scale(replace(model, calibration=calibration)).tags(raw_C)
    assert [tag.threshold for tag in found] == [0.2, 0.5, 0.9]
    assert [tag.raw_score for tag in found] == pytest.approx([0.6, 0.4, 0.5])
    assert found[0].score > 0.6 > 0.4 > found[1].score
    assert [tag.threshold for tag in Scale(model, threshold=0.3).tags(raw_C)] == [0.3] * 3


def test_a_model_that_does_not_pad_refuses_less_than_a_patch(model_of, tmp_path):
    soundfile.write(tmp_path / "short.wav", np.full(8000, 0.1), 16_000)
    with pytest.raises(DecodeError, match="shorter than one patch"):
        list(tag_sound(model_of(tail="drop"), open_blocks(tmp_path / "short.wav")))


def test_files_folders_and_globs_are_found_each_file_once(tmp_path):
    for name in ("a.wav", "deep/b.flac", "deep/notes.txt", "deep/er/c.ogg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    everything = [str(tmp_path / name) for name in ("a.wav", "deep/b.flac", "deep/er/c.ogg")]
    assert [f.name for f in find_sounds([str(tmp_path)])] == everything
    assert [f.name for f in find_sounds([f"{tmp_path}/**/*", str(tmp_path / "a.wav")])] == everything
    assert [f.name for f in find_sounds([str(tmp_path / "deep/notes.txt"), "-"])][1] == "-"


def test_nothing_to_tag_is_said(tmp_path):
    for argument in (str(tmp_path), f"{tmp_path}/*.wav"):
        with pytest.raises(UserError, match="audio"):
            find_sounds([argument])
