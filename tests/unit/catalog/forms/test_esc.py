"""ESC-50 and ESC-10 as published: official folds, sources as groups, a part of the clips."""

import pytest

from earmark.catalog.adapters import read_claims
from earmark.catalog.root import open_root
from earmark.config import DataConfig
from earmark.errors import UserError

META = (
    "filename,fold,target,category,esc10,src_file,take\n"
    "1-100032-A-0.wav,1,0,dog,True,100032,A\n"
    "1-100038-A-14.wav,1,14,chirping_birds,False,100038,A\n"
    "5-9032-A-0.wav,5,0,dog,True,9032,A\n"
    "5-9032-B-0.wav,5,0,dog,True,9032,B\n"
    "2-61311-A-10.wav,2,10,rain,True,61311,A\n"
)
NAMES = [line.split(",")[0] for line in META.splitlines()[1:]]


@pytest.fixture
def esc(write, noise):
    """A made copy; returns the data folder."""

    def make(names=NAMES, meta=META):
        for seed, name in enumerate(names):
            write(f"ESC-50-master/audio/{name}", noise(seed, 0.01))
        return write("ESC-50-master/meta/esc50.csv", meta)

    return make


def claims_of(root, **config):
    return read_claims(open_root(str(root)), DataConfig(**config))


def test_esc50_has_its_folds_and_groups(esc):
    claims = claims_of(esc())
    assert claims.source == "esc50"
    assert claims.uris == [f"ESC-50-master/audio/{name}" for name in NAMES]
    assert claims.labels[1] == ("chirping_birds",)
    assert claims.folds == ["1", "1", "5", "5", "2"]
    assert claims.groups == ["100032", "100038", "9032", "9032", "61311"]
    assert claims.dropped == {}


def test_clips_that_are_not_there_are_counted_by_label(esc):
    claims = claims_of(esc(NAMES[:4]))
    assert len(claims.uris) == 4
    assert claims.dropped == {"no file": 1}
    assert claims.coverage == {"chirping_birds": (1, 1), "dog": (3, 3), "rain": (0, 1)}


def test_a_folder_with_esc10s_clips_alone_is_esc10(esc):
    claims = claims_of(esc([NAMES[0], *NAMES[2:4]]))
    assert claims.source == "esc10"
    assert claims.dropped == {"no file": 1, "not in ESC-10": 1}
    assert claims.coverage == {"dog": (3, 3), "rain": (0, 1)}


def test_esc10_can_be_asked_for(esc):
    claims = claims_of(esc(), form="esc10")
    assert [labels[0] for labels in claims.labels] == ["dog", "dog", "dog", "rain"]
    assert claims.dropped == {"not in ESC-10": 1}


def test_esc10_in_its_older_form_is_read_by_its_names(write, noise):
    write("001 - Dog bark/1-30226-A.ogg", noise(1, 0.01))
    claims = claims_of(write("002 - Rain/5-17367-B.ogg", noise(2, 0.01)))
    assert (claims.source, claims.folds, claims.groups) == ("folders", ["1", "5"], ["30226", "17367"])


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        (META.replace("1,0,dog", ",0,dog"), ["esc50.csv line 2", "fold"]),
        (META.replace("14,chirping_birds,False", "14,chirping_birds,no"), ["line 3", "'no'", "True or False"]),
        (META + "1-100032-A-0.wav,1,0,dog,True,100032,A\n", ["line 7", "line 2 already"]),
        (META.replace("src_file,", ""), ["esc50.csv line 1 has the columns", "needs filename"]),
        (META.replace("rain,True,61311,A", "rain,True"), ["line 6", "5 cells and needs 7"]),
        (META.splitlines()[0] + "\n9-9-A-9.wav,1,0,dog,True,9,A\n", ["none of the 1 clips", "audio/"]),
    ],
)
def test_bad_copies_are_refused_with_file_and_line(esc, meta, words):
    with pytest.raises(UserError) as error:
        claims_of(esc(meta=meta))
    for word in words:
        assert word in str(error.value)
