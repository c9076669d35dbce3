"""Speech Commands as published: lists of validation and testing, speakers by hash, background noise in pieces."""

import pytest

from earmark.catalog.adapters import read_claims
from earmark.catalog.root import open_root
from earmark.config import DataConfig
from earmark.errors import UserError

CLIPS = [
    f"{word}/{speaker}_nohash_{n}.wav"
    for word in ("bed", "cat")
    for speaker, n in [
        ("0137b3f4", 0),
        ("0137b3f4", 1),
        ("026290a7", 0),
        ("004ae714", 0),
        ("0165e0e8", 0),
    ]
]
VALIDATION = ["bed/026290a7_nohash_0.wav", "cat/026290a7_nohash_0.wav"]
TESTING = ["bed/004ae714_nohash_0.wav", "cat/004ae714_nohash_0.wav"]
NOISES = ["doing_the_dishes", "dude_miaowing", "exercise_bike", "pink_noise", "running_tap", "white_noise"]


@pytest.fixture
def commands(write, noise):
    """A made copy; returns the data folder."""

    def make(validation=VALIDATION, testing=TESTING, noises=NOISES, seconds=2.5):
        for seed, name in enumerate(CLIPS):
            write(name, noise(seed))
        for seed, name in enumerate(noises):
            write(f"_background_noise_/{name}.wav", noise(100 + seed, seconds))
        write("_background_noise_/README.md", "Noise.")
        write("validation_list.txt", "".join(f"{line}\n" for line in validation))
        return write("testing_list.txt", "".join(f"{line}\n" for line in testing))

    return make


def claims_of(root):
    return read_claims(open_root(str(root)), DataConfig())


def refusal(root):
    with pytest.raises(UserError) as error:
        claims_of(root)
    return str(error.value)


def test_splits_are_those_of_the_lists_and_speakers_are_groups(commands):
    claims = claims_of(commands(noises=[]))
    assert claims.source == "speech_commands"
    assert claims.uris == sorted(CLIPS)
    assert dict(zip(claims.uris, claims.splits, strict=True))["bed/004ae714_nohash_0.wav"] == "test"
    assert sorted(claims.splits) == ["test"] * 2 + ["train"] * 6 + ["validation"] * 2
    assert set(claims.groups) == {"0137b3f4", "026290a7", "004ae714", "0165e0e8"}
    assert claims.labels[0] == ("bed",)
    assert "validation_list.txt line 1" in claims.places
    assert claims.dropped == {}


def test_a_folder_above_gives_the_same(commands):
    root = commands()
    above, below = claims_of(root.parent), claims_of(root)
    assert above.uris == [f"data/{uri}" for uri in below.uris]
    assert (above.labels, above.splits, above.source) == (below.labels, below.splits, "speech_commands")


def test_background_noise_is_cut_into_whole_seconds_a_recording_in_one_split(commands):
    claims = claims_of(commands())
    silence = [at for at, labels in enumerate(claims.labels) if labels == ("_silence_",)]
    assert len(silence) == 2 * len(NOISES)
    assert claims.clip_ids[silence[0]] == "_background_noise_/doing_the_dishes.wav#0-1"
    assert (claims.starts[silence[1]], claims.ends[silence[1]]) == (1.0, 2.0)
    splits = {claims.uris[at]: claims.splits[at] for at in silence}
    assert sorted(splits.values()) == ["test", *["train"] * 4, "validation"]
    assert all(claims.splits[at] == splits[claims.uris[at]] for at in silence)
    assert all(claims.groups[at] == claims.uris[at] for at in silence)


def test_it_becomes_a_dataset(commands, steps):
    done = steps(commands())
    assert done.findings == {}
    assert done.splits["_background_noise_/pink_noise.wav#0-1"] in {"train", "validation", "test"}
    assert done.catalog.facts["labels"] == ["_silence_", "bed", "cat"]


def test_few_noises_are_all_for_training_and_broken_ones_are_counted(commands, write):
    root = commands(noises=NOISES[:1])
    write("_background_noise_/broken.wav", b"RIFF")
    claims = claims_of(root)
    assert [split for split, labels in zip(claims.splits, claims.labels, strict=True) if labels == ("_silence_",)] == [
        "train"
    ] * 2
    assert claims.dropped == {"background noise that cannot be read": 1}


def test_listed_files_that_are_not_there_are_counted(commands):
    claims = claims_of(commands(testing=[*TESTING, "cat/9aa21fa9_nohash_0.wav", "dog/9aa21fa9_nohash_0.wav"]))
    assert claims.dropped == {"on testing_list.txt, and no such file": 2}


def test_a_speaker_on_both_lists_is_a_leak(commands):
    said = refusal(commands(testing=[*TESTING, "bed/026290a7_nohash_0.wav"]))
    assert "testing_list.txt line 3: speaker 026290a7 is in test here and in validation by " in said
    assert "validation_list.txt line 1" in said
    assert "put all clips of a speaker on the same list" in said


def test_a_listed_speaker_with_clips_on_no_list_is_a_leak(commands):
    said = refusal(commands(testing=TESTING[:1]))
    assert "cat/004ae714_nohash_0.wav, on no list: speaker 004ae714 is in train here and in test by " in said
    assert "testing_list.txt line 1" in said


def test_a_list_in_another_encoding_is_named(commands, write):
    root = commands()
    write("testing_list.txt", "bed/é.wav\n".encode("utf-16"))
    assert "testing_list.txt line 1 is UTF-16" in refusal(root)
