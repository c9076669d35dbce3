"""What is told of a data set before a run: the same results as in the run, and everything that would stop it."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from earmark.catalog import assemble_dataset, build_catalog
from earmark.config import make_config
from earmark.corpus import about, describe, inspect
from earmark.corpus.counting import together
from earmark.corpus.page import render_description
from earmark.features import extract_features
from earmark.pipelines.cli import app
from earmark.progress import Progress
from earmark.store import open_store

QUIET = Progress("test", mode="off")


def ask(*words):
    return CliRunner().invoke(app, ["data", *map(str, words)])


def looked_at(data, tmp_path, **patch):
    return inspect(open_store(tmp_path / "store"), str(data), make_config("modern", {"data": patch}), lambda _: QUIET)


@pytest.fixture
def bad(tmp_path):
    """Six cats and two dogs; a cat is silent, one is no sound."""
    rng = np.random.default_rng(0)
    for label, clips in (("cat", 6), ("dog", 2)):
        (tmp_path / "bad" / label).mkdir(parents=True)
        for clip in range(clips):
            soundfile.write(tmp_path / "bad" / label / f"{clip}.wav", 0.1 * rng.standard_normal(16_000), 16_000)
    soundfile.write(tmp_path / "bad/cat/silent.wav", np.zeros(16_000), 16_000)
    (tmp_path / "bad/cat/broken.wav").write_bytes(b"RIFFxxxx")
    return tmp_path / "bad"


def test_a_run_finds_all_that_the_check_made(tones, tmp_path):
    prepared, refused = looked_at(tones, tmp_path)
    assert refused == []
    store, config = prepared.store, make_config("modern", {})
    catalog = build_catalog(store, str(tones), config.data, QUIET)
    patches = extract_features(store, catalog, config.features, config.data, QUIET)
    dataset = assemble_dataset(store, catalog, patches, config.data, QUIET)
    assert catalog.reused
    assert patches.reused
    assert dataset.reused


def test_clips_labels_and_splits_are_counted(tones, tmp_path):
    told = about(*looked_at(tones, tmp_path))
    assert told["form"] == "csv"
    assert (told["listed"], told["clips"], told["left_out"]) == (12, 12, 0)
    assert told["splits"] == {"train": 6, "validation": 3, "test": 3}
    assert told["labels"]["low"] == {"clips": 4, "train": 2, "validation": 1, "test": 1}


def test_every_reason_for_a_refusal_is_told_and_all_findings_with_examples(bad, tmp_path):
    told = about(*looked_at(bad, tmp_path))
    assert len(told["refused"]) == 2
    assert "label 'dog' has 2 groups" in told["refused"][0]
    assert "max_rejected_share" in told["refused"][1]
    assert told["splits"] is None
    assert told["findings"]["silent"]["examples"] == [{"clip": "cat/silent.wav", "detail": "peak 0"}]
    assert told["findings"]["cannot be decoded"]["left_out"] == 1


def test_data_that_is_not_there_is_refused_with_the_remedy(tmp_path):
    told = about(*looked_at(tmp_path / "none", tmp_path))
    assert list(told) == ["refused"]
    assert "is not there" in told["refused"][0]


def test_the_check_ends_with_2_where_a_run_would_be_refused_and_with_0_elsewhere(bad, tones, tmp_path):
    refused = ask("check", bad, "--work", tmp_path / "work", "--json")
    assert refused.exit_code == 2
    assert len(json.loads(refused.stdout)["refused"]) == 2
    taken = ask("check", tones, "--work", tmp_path / "work")
    assert taken.exit_code == 0
    assert "A run would take it." in taken.stdout
    assert "read as csv; 12 clips, 0 left out" in taken.stdout


def test_a_description_measures_the_sound(tones, tmp_path):
    told = describe(*looked_at(tones, tmp_path))
    assert told["rates"] == {"16000": 12}
    assert told["channels"] == {"1": 12}
    assert told["formats"] == {"wav": 12}
    assert told["seconds"] == pytest.approx(12 * 2.25)
    assert told["peak_dbfs"]["quartiles"] == pytest.approx([20 * np.log10(0.2)] * 5, abs=0.05)
    assert sum(told["duration"]["counts"]) == 12


def test_labels_that_come_together_are_counted_both_ways():
    assert together([[0, 1], [0], [0, 2], [1, 0]], 3) == [[4, 2, 1], [2, 2, 0], [1, 0, 1]]


class _Loads(HTMLParser):
    def __init__(self):
        super().__init__()
        self.loaded, self.titles = [], []

    def handle_starttag(self, tag, attrs):
        self.loaded += [value for name, value in attrs if name in ("src", "href") and not value.startswith("#")]
        self.titles += [value for name, value in attrs if name == "aria-label"]


def test_the_page_has_its_pictures_and_loads_nothing(bad, tones, tmp_path):
    for data in (tones, bad):
        told = describe(*looked_at(data, tmp_path))
        name = "<b>clips"
        page = render_description(name, told)
        found = _Loads()
        found.feed(page)
        assert found.loaded == []
        assert len(found.titles) >= 3
        assert name not in page
        for reason in told["refused"]:
            assert reason.split(":")[0].split("'")[0] in page


def test_describe_writes_the_page_where_it_is_wanted(tones, tmp_path):
    page = tmp_path / "pages" / "tones.html"
    shown = ask("describe", tones, "--work", tmp_path / "work", "--output", page, "--json")
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["page"] == str(page)
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("option", "value"), [("--snr", "15-0"), ("--events", "0-2"), ("--events", "1.5"), ("--snr", "x")]
)
def test_numbers_that_cannot_be_are_refused(tones, tmp_path, option, value):
    refused = ask("mix", tones, "--to", tmp_path / "to", option, value, "--work", tmp_path / "work")
    assert option in str(refused.exception)
    assert not (tmp_path / "to").exists()
