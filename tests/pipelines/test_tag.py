"""``earmark tag`` as a user runs it: a trained model, real clips, bad files, streams."""

import json
import signal
import subprocess

import numpy as np
import pytest
import soundfile

from earmark.evaluation import model_of, score_clip
from earmark.features import frames_of
from earmark.registry import read_package

from .conftest import EARMARK, earmark, environment


@pytest.fixture(scope="module")
def clips(three_labels):
    return sorted((three_labels / "audio").glob("*.ogg"))


@pytest.fixture(scope="module")
def tag(compared):
    def run(*arguments, **more):
        return earmark("tag", *arguments, "--work", compared[0], **more)

    return run


def start(work, *arguments, **more):
    command = [str(EARMARK), "tag", *map(str, arguments), "--work", str(work)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment(), **pipes, **more)


def documents(text):
    return [json.loads(line) for line in text.splitlines()]


def test_scores_are_those_of_evaluation(tag, clips, compared):
    done = tag(clips[0], "--format", "jsonl", "--all")
    assert done.returncode == 0, done.stderr
    package = read_package(next(path.parent for path in (compared[0] / "models").glob("*/model.json")))
    model = model_of(package.weights.read_bytes(), package.document)
    expected_C = score_clip(model, frames_of(clips[0].read_bytes(), model.features)[0]).scores_C
    (document,) = documents(done.stdout)
    found = {tag["label"]: tag["raw_score"] for tag in document["tags"]}
    assert [found[label] for label in model.labels] == pytest.approx(expected_C.tolist(), abs=1e-5)
    assert document["model"] == "earmark/1"


def test_folders_globs_and_files_are_tagged_and_bad_ones_named_and_skipped(tag, clips, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "good.ogg").write_bytes(clips[0].read_bytes())
    (tmp_path / "sub" / "bad.wav").write_text("no sound")
    done = tag(
        tmp_path / "sub",
        f"{clips[1].parent}/{clips[1].stem[:-1]}*.ogg",
        tmp_path / "gone.wav",
        "--format",
        "csv",
        "--top",
        1,
    )
    assert done.returncode == 1
    assert "bad.wav: format not recognised; skipped" in done.stderr
    assert "gone.wav: no such file or directory; skipped" in done.stderr
    assert "2 of" in done.stderr
    files = [line.split(",")[0] for line in done.stdout.splitlines()[1:]]
    assert str(tmp_path / "sub" / "good.ogg") in files
    assert str(clips[1]) in files


def test_a_files_bytes_on_standard_input_are_tagged_as_the_file(compared, tag, clips):
    process = start(compared[0], "-", "--format", "jsonl", "--all")
    out, err = process.communicate(clips[0].read_bytes())
    assert process.returncode == 0, err
    (piped,), (named,) = documents(out), documents(tag(clips[0], "--format", "jsonl", "--all").stdout)
    assert piped["tags"] == named["tags"]
    assert piped["file"] == "-"


def test_a_raw_stream_is_tagged_as_it_arrives(compared):
    """The first window's line is there while the stream is still open; the clip's follows at its end."""
    noise = (np.random.default_rng(0).normal(scale=3000, size=3 * 16_000)).astype("<i2")
    process = start(compared[0], "-", "--raw", "16000", "--timeline", "--format", "jsonl", "--top", "1")
    process.stdin.write(noise[: 2 * 16_000].tobytes())
    process.stdin.flush()
    first = json.loads(process.stdout.readline())
    assert (first["start_s"], first["end_s"]) == (0.0, 0.96)
    out, err = process.communicate(noise[2 * 16_000 :].tobytes())
    assert process.returncode == 0, err
    assert documents(out.decode())[-1] | {"tags": []} == {
        "file": "-",
        "what": "clip",
        "seconds": 3.0,
        "model": "earmark/1",
        "tags": [],
    }


def test_ctrl_c_leaves_whole_lines_and_ends_with_130(compared, tmp_path):
    output = tmp_path / "tags.jsonl"
    process = start(compared[0], "-", "--raw", "16000", "--timeline", "--format", "jsonl", "--output", output)
    noise = np.zeros(16_000 * 10, "<i2").tobytes()
    process.stdin.write(noise)
    process.stdin.flush()
    while not output.exists() or output.read_text().count("\n") < 5:
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert b"stopped" in err
    assert b"Traceback" not in err
    assert all(document["what"] == "window" for document in documents(output.read_text()))


def test_a_label_track_for_audacity(tag, clips):
    done = tag(clips[0], "--format", "audacity", "--threshold", 0.01, "--hop", 0.48)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        start_s, end_s, label = line.split("\t")
        assert 0 <= float(start_s) < float(end_s) <= soundfile.info(str(clips[0])).duration + 1e-3
        assert label


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x.wav", "--model", "nobody"], "model 'nobody' has no version or alias"),
        (["x.wav", "--output", "no/such/folder/x"], "cannot write no/such/folder/x"),
    ],
)
def test_a_model_or_a_place_that_is_not_there_is_told_with_the_remedy(tag, arguments, message):
    done = tag(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x.wav", "--raw", "16000"], "--raw tells what standard input holds"),
        (["-", "--raw", "fast"], "give RATE"),
        (["x.wav", "--format", "xml"], "unknown format 'xml'"),
        (["nowhere/*.wav"], "matches no audio file"),
        (["a.wav", "b.wav", "--format", "audacity"], "a label track is of one file"),
    ],
)
def test_what_cannot_be_asked_is_told_with_the_remedy(refused, arguments, message, tmp_path):
    assert message in refused("tag", *arguments, "--work", tmp_path)
