"""The weekly run, as a user runs it: nothing new, new clips, a worse model, a better one, and back."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import soundfile

from earmark.registry import history, list_models

from .conftest import earmark

NEW_CLIPS = 3


def retrain(data, work, *more):
    return earmark("run", "retrain", "--data", data, "--work", work, *more, "--json")


def told(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def registry(kept, monkeypatch):
    """What the registry says of the model: its promotions, the newest first, and the aliases of its versions."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{kept[1] / 'mlflow.db'}")
    return lambda: (history("earmark"), {model.version: model.aliases for model in list_models()})


def facts_of(work, run, step):
    return json.loads((work / "store" / "runs" / run / f"{step}.json").read_text())["facts"]


def add_clips(data, count=NEW_CLIPS):
    """Other sounds in the folder, in groups of their own."""
    table = data / "clips.csv"
    with table.open() as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows[:count]):
        samples, rate = soundfile.read(data / "audio" / row["filename"])
        name = f"new-{number}.wav"
        soundfile.write(data / "audio" / name, samples[::-1] * 0.5, rate)
        rows.append(row | {"filename": name, "group": f"new-{number}"})
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def kept(compared, three_labels, tmp_path_factory):
    """A champion, and the folder that it was trained from; copies."""
    folder = tmp_path_factory.mktemp("retrain")
    shutil.copytree(compared[0], folder / "work")
    return Path(shutil.copytree(three_labels, folder / "data")), folder / "work"


@pytest.fixture(scope="module")
def better(kept):
    """What the run tells without news, and after new clips came and training took longer."""
    data, work = kept
    nothing = told(retrain(data, work))
    add_clips(data)
    return nothing, told(retrain(data, work, "--set=train.steps=60"))


def test_nothing_new_ends_the_run_at_once_and_well(better, kept):
    _, work = kept
    nothing, _ = better
    assert nothing["outcome"] == "nothing new"
    assert nothing["news"] == {"new": 0, "changed": 0, "removed": 0, "relabelled": 0}
    assert nothing["champion"] == {"name": "earmark", "version": 1}
    assert not (work / "store" / "runs" / nothing["run"] / "extract_features.json").exists()


def test_only_new_clips_are_extracted(better, kept):
    _, work = kept
    _, document = better
    assert document["news"]["new"] == NEW_CLIPS
    facts = facts_of(work, document["run"], "extract_features")
    assert (facts["clips"], facts["extracted"]) == (36 + NEW_CLIPS, NEW_CLIPS)


def test_a_better_model_is_promoted_with_its_figures_and_its_page(better, compared, registry):
    nothing, document = better
    assert document["outcome"] == "promoted"
    assert document["champion"] == {"name": "earmark", "version": 2}
    assert document["run"] != nothing["run"]
    difference = document["gate"]["scores"]["map"]["difference"]
    assert difference["value"] >= 0
    assert difference["low"] >= -0.02
    page = Path(document["gate"]["report"]).read_text(encoding="utf-8")
    assert "Version 2 takes the place of version 1." in page
    latest, first = registry()[0]
    assert (latest.number, latest.replaced, latest.version, latest.by) == (2, 1, 2, document["run"])
    assert latest.why == document["gate"]["why"]
    assert (first.replaced, first.version, first.by) == (None, 1, compared[1]["run"])


def test_a_worse_model_is_refused_and_a_champion_can_be_taken_back(better, kept, registry):
    data, work = kept
    worse = told(retrain(data, work, "--force", "--set=train.steps=1", "--set=train.learning_rate=1e-9"))
    assert worse["outcome"] == "refused"
    assert worse["champion"] == {"name": "earmark", "version": 2}
    assert worse["news"]["new"] == 0
    assert registry()[1] == {1: (), 2: ("champion",), 3: ("challenger",)}
    back = earmark("rollback", "earmark", "--work", work, "--why", "it hums")
    assert back.stdout.startswith("version 1 is champion of earmark in place of version 2"), back.stderr
    promotions, aliases = registry()
    assert aliases == {1: ("champion",), 2: (), 3: ("challenger",)}
    assert (promotions[0].rollback, promotions[0].why, promotions[0].version) == (True, "it hums", 1)
    again = earmark("rollback", "earmark", "--work", work)
    assert again.returncode == 2
    assert "no champion before" in again.stderr
    assert "it hums (rollback)" in earmark("models", "earmark", "--work", work).stdout


def test_without_a_champion_the_way_to_one_is_told(kept):
    data, work = kept
    done = earmark("run", "retrain", "--data", data, "--work", work, "--model", "birds")
    assert done.returncode == 2, done.stderr
    assert "no champion to retrain: make one first with `earmark run compare" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
