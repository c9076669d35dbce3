"""Free Spoken Digit as published: the first five recordings of each digit by each speaker are the test."""

import pytest

from earmark.catalog.adapters import read_claims
from earmark.catalog.root import open_root
from earmark.config import DataConfig
from earmark.errors import UserError

CLIPS = [f"{digit}_{speaker}_{n}.wav" for digit in (0, 7) for speaker in ("jackson", "theo") for n in (0, 4, 5, 6, 49)]


@pytest.fixture
def digits(write, noise):
    for seed, name in enumerate(CLIPS):
        root = write(f"free-spoken-digit-dataset/recordings/{name}", noise(seed, 0.4))
    return root


def test_the_official_split_with_every_speaker_in_both(digits, steps):
    done = steps(digits)
    assert done.catalog.facts["source"] == "fsdd"
    tests = {clip.rpartition("_")[2] for clip, split in done.splits.items() if split == "test"}
    assert tests == {"0.wav", "4.wav"}
    assert len(done.splits) == len(CLIPS), "no clip may be left out because its speaker is in both splits"
    assert done.catalog.facts["labels"] == ["0", "7"]


def test_other_audio_is_counted(digits, write, noise):
    write("recording.wav", noise(99, 0.1))
    claims = read_claims(open_root(str(digits)), DataConfig())
    assert claims.dropped == {"not recordings/{digit}_{speaker}_{index}.wav": 1}
    assert len(claims.uris) == len(CLIPS)


def test_the_form_asked_for_and_not_there(write, noise):
    with pytest.raises(UserError, match=r"7_jackson_32\.wav"):
        read_claims(open_root(str(write("a/b.wav", noise(1)))), DataConfig(form="fsdd"))
