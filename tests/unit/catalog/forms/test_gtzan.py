"""GTZAN as published: genres by folder, the fault-filtered lists, the broken file."""

import pytest

from earmark.catalog.adapters import read_claims
from earmark.catalog.root import open_root
from earmark.config import DataConfig
from earmark.errors import UserError

LISTS = {
    "train_filtered.txt": ["blues/blues.00001.wav", "jazz/jazz.00001.wav", "jazz/jazz.00002.wav"],
    "valid_filtered.txt": ["blues/blues.00002.wav", "jazz/jazz.00003.wav"],
    "test_filtered.txt": ["blues/blues.00003.wav", "jazz/jazz.00054.wav", "blues/blues.00099.wav"],
}


@pytest.fixture
def music(write, noise):
    """A made copy, whose jazz.00054 is broken as the published one; returns the data folder."""

    def make(folder="genres_original/", suffix="wav", lists=None):
        for genre in ("blues", "jazz"):
            for take in range(5):
                write(f"{folder}{genre}/{genre}.{take:05}.{suffix}", noise(take + 100 * len(genre), 1.0))
        root = write(f"{folder}jazz/jazz.00054.{suffix}", b"\0\0\0\0not a wave file")
        write("features_30_sec.csv", "filename,length,label\nblues.00000.wav,661794,blues\n")
        for name, lines in (lists or {}).items():
            write(name, "".join(f"{line}\n" for line in lines))
        return root

    return make


def claims_of(root, **config):
    return read_claims(open_root(str(root)), DataConfig(**config))


@pytest.mark.parametrize(("folder", "suffix"), [("genres_original/", "wav"), ("Data/genres/", "au"), ("", "wav")])
def test_genres_and_no_splits(music, folder, suffix):
    claims = claims_of(music(folder, suffix))
    assert claims.source == "gtzan"
    assert claims.uris[0] == f"{folder}blues/blues.00000.{suffix}"
    assert claims.labels[0] == ("blues",)
    assert set(claims.splits) == {None}
    assert len(claims.uris) == 11


@pytest.mark.parametrize("bare", [False, True])
def test_the_fault_filtered_lists_are_the_splits(music, bare):
    lists = LISTS
    if bare:
        lists = {name: [line.split("/")[1].removesuffix(".wav") for line in lines] for name, lines in LISTS.items()}
    claims = claims_of(music(lists=lists))
    assert claims.uris[0].endswith("blues.00001.wav")
    assert claims.splits == ["train", "validation", "test", "train", "train", "validation", "test"]
    assert claims.dropped == {"on test_filtered.txt, and no such file": 1, "on none of the fault-filtered lists": 4}
    assert claims.places[0] == "train_filtered.txt line 1"


def test_the_broken_file_is_a_finding(music, steps):
    done = steps(music())
    assert {clip: found for clip, (found, _) in done.findings.items()} == {
        "genres_original/jazz/jazz.00054.wav": "cannot be decoded"
    }


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        ({"train_filtered.txt": ["blues.00001"]}, ["has no valid_filtered.txt", "take the others away"]),
        (
            {**LISTS, "test_filtered.txt": ["blues/blues.00003.wav", "jazz/jazz.00001.wav"]},
            ["test_filtered.txt line 2: jazz.00001", "train_filtered.txt line 2 already"],
        ),
    ],
)
def test_bad_lists_are_refused(music, lists, words):
    with pytest.raises(UserError) as error:
        claims_of(music(lists=lists))
    for word in words:
        assert word in str(error.value)
