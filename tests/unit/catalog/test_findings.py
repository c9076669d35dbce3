"""Every kind of finding, with real files through all three steps."""

import numpy as np
import pytest
import soundfile

from earmark.catalog import FINDINGS
from earmark.errors import UserError

SECOND = 16_000


def out(kind):
    return kind, "left out"


def test_clean_data_has_no_findings(steps, two_labels):
    result = steps(two_labels)
    assert result.findings == {}
    assert sum(result.manifest.facts["clips"].values()) == 16


def test_bad_clips_are_left_out_each_for_its_reason(steps, two_labels, write, noise):
    write("cat/text.wav", "no sound at all")
    write("cat/zero-bytes.wav", "")
    write("cat/no-samples.wav", np.zeros(0))
    write("cat/silent.wav", np.zeros(SECOND))
    write("cat/whisper.wav", noise(1, level=1e-6).astype(np.float32), "FLOAT")
    write("cat/nan.wav", np.where(np.arange(SECOND) == 9, np.nan, 0.1).astype(np.float32), "FLOAT")
    write("stray.wav", noise(40))
    result = steps(two_labels)
    assert result.findings == {
        "cat/text.wav": out("cannot be decoded"),
        "cat/zero-bytes.wav": out("empty"),
        "cat/no-samples.wav": out("empty"),
        "cat/silent.wav": out("silent"),
        "cat/whisper.wav": out("silent"),
        "cat/nan.wav": out("not finite"),
        "stray.wav": out("no label"),
    }
    assert not set(result.findings) & set(result.splits)
    assert result.details["cat/silent.wav"] == "peak 0"
    assert result.details["cat/whisper.wav"].endswith("dBFS")
    assert result.manifest.facts["findings"] == {
        "cannot be decoded": 1, "empty": 2, "no label": 1, "not finite": 1, "silent": 2,
    }  # fmt: skip
    assert result.manifest.facts["left_out"] == 7
    assert {kind for kind, _ in result.findings.values()} <= set(FINDINGS)


def test_the_decoders_reason_is_told(steps, two_labels, write):
    write("cat/text.wav", "no sound at all")
    assert steps(two_labels).details["cat/text.wav"]


def test_odd_clips_are_kept_and_told(steps, two_labels, write, noise):
    write("cat/short.wav", noise(30, seconds=0.5))
    write("cat/clipped.wav", np.clip(noise(31, level=1.0) * 4, -1, 1))
    result = steps(two_labels)
    assert result.findings == {
        "cat/short.wav": ("shorter than one patch", "padded"),
        "cat/clipped.wav": ("clipped", "kept"),
    }
    assert result.details["cat/short.wav"] == "0.500 s"
    assert set(result.findings) <= set(result.splits)


def test_short_clips_are_left_out_where_the_tail_is_dropped(steps, two_labels, write, noise):
    write("cat/short.wav", noise(30, seconds=0.5))
    assert steps(two_labels, tail="drop").findings == {"cat/short.wav": out("shorter than one patch")}


def test_missing_files(steps, two_labels, write):
    lines = "".join(f"{label}/{at}.wav,{label}\n" for label in ("cat", "dog") for at in range(9))
    write("clips.csv", "file,label\n" + lines)
    result = steps(two_labels)
    assert result.findings == {f"{label}/8.wav": out("missing file") for label in ("cat", "dog")}


def test_unknown_labels(steps, two_labels, write, noise):
    write("labels.csv", "id,name\nc,cat\nd,dog\n")
    write("odd.wav", noise(60))
    write("both.wav", noise(61))
    lines = "".join(f"{label}/{at}.wav,{label}\n" for label in ("cat", "dog") for at in range(8))
    write("clips.csv", "file,label\n" + lines + "odd.wav,yeti\nboth.wav,d;yeti\n")
    result = steps(two_labels)
    assert result.findings == {
        "odd.wav": out("unknown label"),
        "both.wav": ("unknown label", "kept with its other labels"),
    }
    assert result.details == {"odd.wav": "clips.csv line 18: yeti", "both.wav": "clips.csv line 19: yeti"}


def test_the_later_of_two_equal_sounds_is_left_out_whatever_its_file(steps, two_labels, write):
    write("cat/x.flac", soundfile.read(two_labels / "cat/0.wav", dtype="int16")[0])
    result = steps(two_labels)
    assert result.findings == {"cat/x.flac": out("duplicate")}
    assert result.details["cat/x.flac"] == "same sound as cat/0.wav"


def test_the_same_sound_under_two_labels_leaves_none(steps, two_labels, write, noise):
    write("dog/wrong.wav", noise(0))
    result = steps(two_labels)
    kind = "duplicate under different labels"
    assert result.findings == {"cat/0.wav": out(kind), "dog/wrong.wav": out(kind)}
    assert "cat/0.wav" in result.details["dog/wrong.wav"]


def test_the_same_sound_in_two_given_splits_stays_in_test(steps, write, noise):
    lines = []
    for seed in range(12):
        label, split = "cat" if seed % 2 else "dog", "test" if seed < 4 else "train"
        root = write(f"{seed}.wav", noise(seed))
        lines.append(f"{seed}.wav,{label},{split}\n")
    write("again.wav", noise(1))
    write("clips.csv", "file,label,split\n" + "".join(lines) + "again.wav,cat,train\n")
    result = steps(root)
    assert result.findings == {"again.wav": out("duplicate in two splits")}
    assert result.details["again.wav"] == "same sound as 1.wav in test"
    assert result.splits["1.wav"] == "test"


def test_a_group_in_two_given_splits_stays_in_test(steps, write, noise):
    lines = []
    for seed in range(12):
        root = write(f"{seed}.wav", noise(seed))
        lines.append(f"{seed}.wav,{'cat' if seed % 2 else 'dog'},{1 + (seed > 7)},g{seed % 11}\n")
    write("clips.csv", "file,label,fold,group\n" + "".join(lines))
    result = steps(root)
    assert result.findings == {"0.wav": out("group in two splits")}
    assert result.details["0.wav"] == "group g0 is in test and in train"
    assert result.splits["11.wav"] == "test"
    by_group = {}
    for clip, split in result.splits.items():
        by_group.setdefault(result.groups[clip], set()).add(split)
    assert all(len(splits) == 1 for splits in by_group.values())


def test_groups_that_share_a_sound_stay_together(steps, write, noise):
    lines = []
    for seed in range(40):
        root = write(f"{seed:02}.wav", noise(seed))
        lines.append(f"{seed:02}.wav,{'cat' if seed % 2 else 'dog'},g{seed}\n")
    for seed in range(0, 36, 4):  # the group of clip s holds the sound of clip s + 2 as well
        write(f"copy{seed:02}.wav", noise(seed + 2))
        lines.append(f"copy{seed:02}.wav,dog,g{seed}\n")
    write("clips.csv", "file,label,group\n" + "".join(lines))
    result = steps(root)
    assert len(result.findings) == 9
    for seed in range(0, 36, 4):
        assert result.splits[f"{seed:02}.wav"] == result.splits[f"{seed + 2:02}.wav"]


def test_segments_of_one_file_are_clips_of_one_group(steps, write, noise):
    lines = []
    for seed in range(12):
        root = write(f"{seed}.wav", noise(seed, seconds=3.0))
        lines += [f"{seed}.wav,{'cat' if seed % 2 else 'dog'},{at},{at + 1}\n" for at in range(3)]
    write("clips.csv", "file,label,start,end\n" + "".join(lines))
    result = steps(root)
    assert result.findings == {}
    assert len(result.splits) == 36
    for seed in range(12):
        assert len({result.splits[f"{seed}.wav#{at}-{at + 1}"] for at in range(3)}) == 1


def test_segments_that_are_not_all_in_their_file(steps, write, noise):
    lines = []
    for seed in range(12):
        root = write(f"{seed}.wav", noise(seed, seconds=3.0))
        lines += [f"{seed}.wav,{'cat' if seed % 2 else 'dog'},{at},{at + 1.04}\n" for at in range(3)]
    odd = "0.wav,dog,3,4\n1.wav,cat,100,\n2.wav,dog,1.5,7\n\n3.wav,cat,,3.5\n"
    write("clips.csv", "file,label,start,end\n" + "".join(lines) + odd)
    result = steps(root)
    assert result.findings == {  # a slack of 40 ms is none
        "0.wav#3-4": out("past the end"),
        "1.wav#100-": out("past the end"),
        "2.wav#1.5-7": ("past the end", "cut at the end"),
        "3.wav#0-3.5": ("past the end", "cut at the end"),
    }
    assert result.details == {
        "0.wav#3-4": "clips.csv line 38: starts at 3.000 s, the file has 3.000 s",
        "1.wav#100-": "clips.csv line 39: starts at 100.000 s, the file has 3.000 s",
        "2.wav#1.5-7": "clips.csv line 40: ends at 7.000 s, the file has 3.000 s",
        "3.wav#0-3.5": "clips.csv line 42: ends at 3.500 s, the file has 3.000 s",
    }
    assert {"2.wav#1.5-7", "3.wav#0-3.5"} < set(result.splits)


def test_the_step_stops_above_the_stated_share(steps, two_labels, write):
    for at in range(3):
        write(f"dog/text{at}.wav", f"no sound {at}")
    write("cat/again.wav", (two_labels / "cat/0.wav").read_bytes())
    with pytest.raises(UserError) as error:
        steps(two_labels, max_rejected_share=0.05)
    told = str(error.value)
    assert "4 of 20 clips (20.0%)" in told
    assert "duplicates counted" in told
    assert "3 cannot be decoded (dog/text0.wav, dog/text1.wav, dog/text2.wav); 1 duplicate (cat/again.wav)" in told
    assert "max_rejected_share allows 5.0%" in told
    assert "raise the share" in told
    assert "\n" not in told
    assert steps(two_labels, max_rejected_share=0.2).manifest.facts["left_out"] == 4


def test_all_clips_silent(steps, write):
    for label in ("cat", "dog"):
        for at in range(4):
            root = write(f"{label}/{at}.wav", np.zeros(SECOND + at))
    with pytest.raises(UserError, match=r"all 8 clips are silent.*silence_dbfs"):
        steps(root, max_rejected_share=0.05)


def test_a_label_whose_clips_were_left_out_is_named(steps, two_labels, write):
    for at in range(8):
        write(f"bird/{at}.wav", f"no sound {at}")
    with pytest.raises(UserError, match=r"label 'bird' has 0 groups.*add clips of it"):
        steps(two_labels)
