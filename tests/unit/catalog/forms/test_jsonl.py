"""JSON lines: what they claim, in the same words and under the same rules as a CSV."""

import json

import pytest

from earmark.catalog.adapters import read_claims
from earmark.catalog.root import open_root
from earmark.config import DataConfig
from earmark.errors import UserError


@pytest.fixture
def clips(write, noise):
    """Write two clips and a list of JSON lines; returns the claims."""

    def make(lines, named=""):
        for seed, name in enumerate(("a.wav", "audio/b.wav")):
            root = write(name, noise(seed, 0.01))
        write(
            "clips.jsonl",
            lines
            if isinstance(lines, bytes)
            else "\n".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines),
        )
        return read_claims(open_root(f"{root}{named}"), DataConfig())

    return make


@pytest.mark.parametrize("named", ["", "/clips.jsonl"])
def test_everything_that_a_csv_may_say(clips, named):
    claims = clips(
        [
            {"file": "a.wav", "label": ["dog; bark", "loud"], "fold": 1, "start": 0.5, "end": 1.5, "other": {"x": 1}},
            "",
            {"File": None, "file": "b.wav", "label": "cat", "fold": "2", "group": "g"},
        ],
        named,
    )
    assert claims.source == "jsonl"
    assert claims.uris == ["a.wav", "audio/b.wav"]
    assert claims.clip_ids == ["a.wav#0.5-1.5", "audio/b.wav"]
    assert claims.labels == [("dog; bark", "loud"), ("cat",)]
    assert claims.folds == ["1", "2"]
    assert claims.groups == [None, "g"]
    assert claims.places == ["clips.jsonl line 1", "clips.jsonl line 3"]


def test_a_csv_beside_it_comes_first_and_a_named_list_before_that(clips, write):
    root = write("clips.csv", "file,label\na.wav,x\n")
    lines = [{"path": "a.wav", "labels": "y"}, {"path": "b.wav", "labels": []}]
    assert clips(lines).source == "csv"
    assert clips(lines, "/clips.jsonl").labels == [("y",), ()]
    assert root.name == "data"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['{"file": "a.wav", "label": "x"}', "{'file': 1}"], ["clips.jsonl line 2 is not JSON"]),
        (['["a.wav"]'], ["line 1 is no object"]),
        ([{"file": "a.wav", "label": {"x": 1}}], ["line 1: label is", "give a text"]),
        ([{"file": "a.wav", "label": [True]}], ["line 1: label is true"]),
        ([{"file": ["a.wav"], "label": "x"}], ["line 1: file is"]),
        ([{"file": "a.wav"}], ["has the columns file and needs label"]),
        ([{"file": "a.wav", "label": "x", "start": 2, "end": 1}], ["line 1", "start 2 is not before end 1"]),
        ([{"file": "a.wav", "label": "x", "start": -1}], ["line 1", "'-1'"]),
        (['{"file": "a.wav", "label": "x", "end": NaN}'], ["line 1", "'nan'"]),
        ([{"file": "a.wav", "label": "x", "split": "trian"}], ["line 1", "did you mean 'train'"]),
        (
            [{"file": "a.wav", "label": "x", "fold": 1}, {"file": "b.wav", "label": "x"}],
            ["line 2 has no fold", "fill it in"],
        ),
        ([{"file": "z.wav", "label": "x"}], ["none of the 1 files", "'z.wav'"]),
        ([""], ["has no lines"]),
        (["[" * 100_000], ["line 1 cannot be read as JSON"]),
        (b'{"file": "a.wav",\n"label": "\xe9"}', ["line 2 is not UTF-8", "byte 28 is 0xe9, 'é' in Latin-1"]),
    ],
)
def test_bad_lines_are_refused(clips, lines, words):
    with pytest.raises(UserError) as error:
        clips(lines)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_of_several_one_must_be_named(clips, write):
    write("more.jsonl", "{}")
    with pytest.raises(UserError, match=r"clips\.jsonl and more\.jsonl: name the one to use"):
        clips([{"file": "a.wav", "label": "x"}])
