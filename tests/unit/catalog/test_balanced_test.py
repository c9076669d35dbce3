"""A balanced test set: so many test clips of each label, chosen by their sound; nothing else changes."""

import pytest

from earmark.catalog.splits import SPLITS


@pytest.fixture
def uneven(write, noise):
    """Test has nine cats, five dogs and three birds; some are both cat and dog. Train and validation have two each."""
    rows = ["file,label,split"]
    clips = ["cat"] * 6 + ["cat;dog"] * 3 + ["dog"] * 2 + ["bird"] * 3
    clips = [(label, "test") for label in clips]
    clips += [(label, split) for split in ("train", "validation") for label in ("cat", "dog", "bird") for _ in range(2)]
    for seed, (label, split) in enumerate(clips):
        write(f"{seed}.wav", noise(seed))
        rows.append(f"{seed}.wav,{label},{split}")
    return write("clips.csv", "\n".join(rows) + "\n")


def clips_of(found, split):
    labels = [found.dataset.labels[label] for clip in found.dataset.clips(split) for label in clip.labels]
    return {name: labels.count(name) for name in sorted(set(labels))}


def test_each_label_has_so_many_test_clips_or_all_there_are(steps, uneven):
    whole, four = steps(uneven), steps(uneven, balanced_test=4)
    assert clips_of(whole, "test") == {"bird": 3, "cat": 9, "dog": 5}
    counts = clips_of(four, "test")
    assert counts["bird"] == 3
    assert 4 <= counts["cat"] <= 7
    assert 4 <= counts["dog"] <= 5
    assert four.manifest.facts["unused_test"] == 14 - len(four.dataset.clips("test"))


def test_training_and_validation_and_findings_stay_as_they_are(steps, uneven):
    whole, two = steps(uneven), steps(uneven, balanced_test=2)
    for split in SPLITS[:2]:
        assert [clip.clip_id for clip in two.dataset.clips(split)] == [
            clip.clip_id for clip in whole.dataset.clips(split)
        ]
    assert two.findings == whole.findings
    assert two.manifest.facts["left_out"] == 0
    assert two.dataset.evaluated_digest("test") != whole.dataset.evaluated_digest("test")


def test_more_than_there_are_is_the_whole_test_set(steps, uneven):
    whole, many = steps(uneven), steps(uneven, balanced_test=50)
    assert many.dataset.evaluated_digest("test") == whole.dataset.evaluated_digest("test")
    assert many.manifest.facts["unused_test"] == 0


def test_a_clip_that_is_left_out_is_not_counted_on(steps, uneven, write):
    """Of a sound in train and in test, the clip in test stays: no more is left out than the other one."""
    write("repeated.wav", (uneven / "14.wav").read_bytes())
    write("clips.csv", (uneven / "clips.csv").read_text() + "repeated.wav,cat,test\n")
    found = steps(uneven, balanced_test=4)
    assert found.manifest.facts["left_out"] == 1
    assert 4 <= clips_of(found, "test")["cat"] <= 7
