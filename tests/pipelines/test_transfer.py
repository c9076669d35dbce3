"""The paper's Audio Set experiment as one command, run as a user runs it: a small trained network, on other clips."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from earmark.embeddings.records import record, sequence_example

from .conftest import earmark

SMALL = ["--preset", "quick", "--steps", "10", "--set=train.precision=fp32", "--set=evaluate.bootstrap_resamples=100"]
METHODS = ["--methods", "dense,finetune", "--clips", "1,all"]


@pytest.fixture(scope="module")
def other_labels(examples, tmp_path_factory):
    """24 real clips of two labels that the trained network does not know, as a folder with a CSV."""
    folder = tmp_path_factory.mktemp("data") / "two"
    (folder / "audio").mkdir(parents=True)
    with (examples / "clips.csv").open() as file:
        rows = list(csv.DictReader(file))
    kept = [row for row in rows if row["label"] in sorted({row["label"] for row in rows})[-2:]]
    with (folder / "clips.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(kept)
    for row in kept:
        shutil.copy(examples / "audio" / row["filename"], folder / "audio")
    return folder


@pytest.fixture(scope="module")
def transferred(compared, other_labels):
    """A finished transfer that registers its best: its work folder, the document it printed, and what it told."""
    work, _, _ = compared
    done = earmark(
        "run", "transfer", "--data", other_labels, "--from", "earmark", *METHODS, *SMALL, "--model", "mine",
        "--work", work, "--json",
    )  # fmt: skip
    log = "".join(path.read_text() for path in work.glob("logs/transfer*.log"))
    assert done.returncode == 0, done.stderr + log[-5000:]
    return work, json.loads(done.stdout), done


def test_every_method_at_every_size_is_scored_on_the_same_clips(transferred):
    _, document, _ = transferred
    assert {network["name"] for network in document["networks"]} == {
        f"{method}.{size}" for method in ("dense", "finetune") for size in ("1", "all")
    }
    assert document["evaluated_clips"] == 8
    assert document["failures"] == []
    rows = document["study"]["rows"]
    assert (rows[0][1]["figure"], rows[0][2]["figure"]) == ("1", "2")
    assert all(row[-1]["figure"] != "–" for row in rows)
    assert document["study"]["paper_rows"][1][-1] == "0.314"


def test_a_batch_that_is_larger_than_its_clips_is_made_smaller_and_told(transferred):
    _, _, done = transferred
    assert "in place of 64: its clips have" in done.stderr


def test_the_report_has_the_table_the_curve_and_the_command(transferred):
    _, document, _ = transferred
    page = Path(document["report"]).read_text(encoding="utf-8")
    assert "What a trained network is worth on these clips" in page
    assert "Test mAP by training clips a label" in page
    assert "earmark run transfer" in page
    assert "--methods dense,finetune" in page
    assert "--clips 1,all" in page


def test_the_best_is_a_version_that_tags(transferred, other_labels):
    work, document, _ = transferred
    [version] = [row for row in json.loads(earmark("models", "--work", work, "--json").stdout) if row["name"] == "mine"]
    assert version["map"] == pytest.approx(document["networks"][0]["map"])
    clip = next((other_labels / "audio").iterdir())
    tagged = earmark("tag", clip, "--model", "mine", "--format", "jsonl", "--all", "--work", work)
    assert tagged.returncode == 0, tagged.stderr
    assert {tag["label"] for tag in json.loads(tagged.stdout)["tags"]} == {"rooster", "sea_waves"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--from", "earmark", "--methods", "dens"], "did you mean 'dense'"),
        (["--from", "nothing"], "nothing"),
        (["--from", "earmark", "--freeze", "99"], "give 0 to"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_exit_code_2(more, message, compared, other_labels):
    done = earmark("run", "transfer", "--data", other_labels, *more, "--steps", "5", "--work", compared[0])
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert done.stdout == ""


def test_heads_are_trained_on_published_embeddings_without_any_sound(tmp_path):
    random = np.random.default_rng(0)
    root = tmp_path / "audioset_v1_embeddings"
    for folder, count in (("bal_train", 40), ("eval", 12)):
        (root / folder).mkdir(parents=True)
        clips = []
        for number in range(count):
            values_PK = random.integers(60, 140, (3, 128))
            values_PK[:, 64 * (number % 2) : 64 * (number % 2) + 64] += 60
            example = sequence_example(f"{folder}{number}", 0.0, 3.0, [number % 2], values_PK.astype(np.uint8))
            clips.append(record(example))
        (root / folder / "00.tfrecord").write_bytes(b"".join(clips))
    asked = ["--methods", "linear,neighbours", "--clips", "all", *SMALL]
    done = earmark("run", "probe", "--data", root, *asked, "--work", tmp_path / "work", "--json")
    log = "".join(path.read_text() for path in (tmp_path / "work").glob("logs/*.log"))
    assert done.returncode == 0, done.stderr + log[-5000:]
    document = json.loads(done.stdout)
    assert {n["name"] for n in document["networks"]} == {"linear.all", "neighbours.all"}
    assert min(network["map"] for network in document["networks"]) > 0.9
    assert "earmark run probe" in Path(document["report"]).read_text(encoding="utf-8")
