"""FSD50K as published: three lists, comma-separated labels in quotes, a vocabulary without header."""

import pytest

from earmark.catalog.adapters import read_claims
from earmark.catalog.root import open_root
from earmark.config import DataConfig
from earmark.errors import UserError

DEV = (
    "fname,labels,mids,split\n"
    '64760,"Electric_guitar,Guitar,Music","/m/02sgy,/m/0342h,/m/04rlf",train\n'
    "21914,Bark,/m/05tny_,val\n"
)
EVAL = 'fname,labels,mids\n37199,"Guitar,Music","/m/0342h,/m/04rlf"\n'
VOCABULARY = "0,Bark,/m/05tny_\n1,Electric_guitar,/m/02sgy\n2,Guitar,/m/0342h\n3,Music,/m/04rlf\n"


@pytest.fixture
def fsd50k(write, noise):
    """A made copy, below a folder; returns the data folder."""

    def make(dev=DEV, evaluated=EVAL, vocabulary=VOCABULARY, files=("dev/64760", "dev/21914", "eval/37199")):
        root = write("unused.wav", noise(9, 0.01))
        for seed, name in enumerate(files):
            part, stem = name.split("/")
            write(f"FSD/FSD50K.{part}_audio/{stem}.wav", noise(seed, 0.01))
        for name, text in {"dev": dev, "eval": evaluated, "vocabulary": vocabulary}.items():
            if text is not None:
                write(f"FSD/FSD50K.ground_truth/{name}.csv", text)
        return root

    return make


def claims_of(root):
    return read_claims(open_root(str(root)), DataConfig())


def refusal(root):
    with pytest.raises(UserError) as error:
        claims_of(root)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_copy_is_recognised_and_read(fsd50k):
    claims = claims_of(fsd50k())
    assert claims.source == "fsd50k"
    assert claims.uris == [
        "FSD/FSD50K.dev_audio/64760.wav",
        "FSD/FSD50K.dev_audio/21914.wav",
        "FSD/FSD50K.eval_audio/37199.wav",
    ]
    assert claims.labels == [("/m/02sgy", "/m/0342h", "/m/04rlf"), ("/m/05tny_",), ("/m/0342h", "/m/04rlf")]
    assert claims.splits == ["train", "validation", "test"]
    assert claims.declared == [
        ("/m/05tny_", "Bark"),
        ("/m/02sgy", "Electric_guitar"),
        ("/m/0342h", "Guitar"),
        ("/m/04rlf", "Music"),
    ]
    assert claims.places == [
        f"FSD/FSD50K.ground_truth/{line}" for line in ("dev.csv line 2", "dev.csv line 3", "eval.csv line 2")
    ]


def test_a_file_that_is_not_there_stays_listed(fsd50k):
    assert "FSD/FSD50K.dev_audio/21914.wav" in claims_of(fsd50k(files=("dev/64760", "eval/37199"))).uris


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"dev": DEV.replace("Bark", "Barc")}, ["dev.csv line 3", "'Barc'", "vocabulary.csv"]),
        ({"dev": DEV.replace("/m/05tny_", "/m/0342h")}, ["dev.csv line 3", "/m/0342h are not those of", "Bark"]),
        ({"dev": DEV.replace("val", "dev")}, ["dev.csv line 3", "'dev'", "train and val"]),
        ({"dev": DEV.replace(",val", "")}, ["dev.csv line 3", "3 cells and needs 4"]),
        ({"dev": DEV + "64760,Bark,/m/05tny_,val\n"}, ["dev.csv line 4", "'64760'", "dev.csv line 2"]),
        ({"dev": DEV.replace(",", ";")}, ["dev.csv line 1", "fname;labels;mids;split", "fname, labels"]),
        ({"evaluated": EVAL.replace('"', "")}, ["eval.csv line 2", "5 cells", "quotes"]),
        ({"vocabulary": VOCABULARY + "4,Bark,/m/1\n"}, ["vocabulary.csv line 5", "differ"]),
        ({"vocabulary": None}, ["no FSD50K.ground_truth/vocabulary.csv", "unpack"]),
        (
            {"files": ("dev/64760", "dev/21914")},
            ["none of the 1 clips", "/eval.csv", "eval_audio.zip"],
        ),
    ],
)
def test_bad_copies_are_refused_with_file_and_line(fsd50k, changed, words):
    told = refusal(fsd50k(**changed))
    for word in words:
        assert word in told
