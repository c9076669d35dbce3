"""UrbanSound8K as published: ten folds, recordings as groups, and the odd formats of its files."""

import math

import numpy as np
import pytest
import soundfile

from earmark.catalog.adapters import read_claims
from earmark.catalog.root import open_root
from earmark.config import DataConfig
from earmark.errors import UserError

HEADER = "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
# As in the published list: the times are of the recording, far past the end of the slice.
META = (
    f"{HEADER}"
    "100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark\n"
    "100263-2-0-117.wav,100263,58.5,62.5,1,5,2,children_playing\n"
    "100263-2-0-121.wav,100263,60.5,64.5,1,5,2,children_playing\n"
    "7061-6-0-0.wav,7061,11.018333,15.018333,2,10,6,gun_shot\n"
    "99812-1-0-0.wav,99812,159.522205,163.522205,2,7,1,car_horn\n"
)
# Bit depths, channels and rates that the published files have.
ODD = [
    ("PCM_U8", 1, 11_025),
    ("PCM_24", 2, 96_000),
    ("PCM_16", 2, 44_100),
    ("FLOAT", 2, 22_050),
    ("PCM_24", 1, 192_000),
    ("MS_ADPCM", 1, 8_000),
    ("IMA_ADPCM", 2, 48_000),
]


@pytest.fixture
def urban(write, noise):
    """A made copy below a folder; returns the data folder."""

    def make(meta=META, folder="UrbanSound8K/", audio="audio/", listed="metadata/"):
        for seed, line in enumerate(META.splitlines()[1:]):
            name, *_, fold, _, _ = line.split(",")
            write(f"{folder}{audio}fold{fold}/{name}", noise(seed, 0.3))
        return write(f"{folder}{listed}UrbanSound8K.csv", meta)

    return make


def claims_of(root, **config):
    return read_claims(open_root(str(root)), DataConfig(**config))


@pytest.mark.parametrize("folder", ["", "UrbanSound8K/"])
@pytest.mark.parametrize(("audio", "listed"), [("audio/", "metadata/"), ("", "")])
def test_official_folds_and_whole_clips(urban, folder, audio, listed):
    claims = claims_of(urban(folder=folder, audio=audio, listed=listed))
    assert claims.source == "urbansound8k"
    assert claims.uris[0] == f"{folder}{audio}fold5/100032-3-0-0.wav"
    assert claims.labels[:2] == [("dog_bark",), ("children_playing",)]
    assert claims.folds == ["5", "5", "5", "10", "7"]
    assert claims.groups == ["100032", "100263", "100263", "7061", "99812"]
    assert set(claims.starts) == set(claims.ends) == {None}
    assert claims.places[3] == f"{folder}{listed}UrbanSound8K.csv line 5"


def test_every_odd_format_becomes_frames(write, steps, tmp_path):
    rng = np.random.default_rng(7)
    meta = HEADER
    for at in range(4 * len(ODD)):
        subtype, channels, rate = ODD[at % len(ODD)]
        label, fold = ("siren", "drilling")[at % 2], 1 + at % 3
        meta += f"{at}-1-0-0.wav,{at},20.0,24.0,1,{fold},1,{label}\n"
        path = tmp_path / "data" / "audio" / f"fold{fold}" / f"{at}-1-0-0.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * rng.standard_normal((math.ceil(1.2 * rate), channels)), rate, subtype=subtype)
    done = steps(write("metadata/UrbanSound8K.csv", meta))
    assert done.findings == {}
    assert len(done.splits) == 4 * len(ODD)
    assert {split for clip, split in done.splits.items() if "/fold3/" in clip} == {"test"}


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        (META.replace("class\n", "label\n", 1), ["UrbanSound8K.csv line 1", "needs slice_file_name"]),
        (META.replace("5,3,dog_bark", ",3,dog_bark"), ["line 2", "fold and class must be there"]),
        (META + META.splitlines()[1] + "\n", ["line 7", "line 2 already"]),
        (META.replace(".wav", ".flac"), ["none of the 5 clips", "put audio/ beside metadata/"]),
    ],
)
def test_bad_lists_are_refused(urban, meta, words):
    with pytest.raises(UserError) as error:
        claims_of(urban(meta))
    for word in words:
        assert word in str(error.value)


def test_the_form_asked_for_and_not_there(write, noise):
    with pytest.raises(UserError, match=r"has no UrbanSound8K\.csv"):
        claims_of(write("a/b.wav", noise(1)), form="urbansound8k")
