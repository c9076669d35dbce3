"""Adapters: what folders, CSVs and names claim, and how bad ones are refused."""

import pytest

from earmark.catalog.adapters import read_claims
from earmark.catalog.claims import Claims
from earmark.catalog.folders import read_folders
from earmark.catalog.forms.esc import fill_from_names
from earmark.catalog.root import open_root
from earmark.config import DataConfig
from earmark.errors import UserError


@pytest.fixture
def clips(write, noise):
    """Write these names as audio, and a CSV if one is given; returns the claims."""

    def make(names, csv=None, named="clips.csv"):
        for seed, name in enumerate(names):
            root = write(name, noise(seed, 0.01))
        if csv is not None:
            write(named, csv)
        return read_claims(open_root(str(root)), DataConfig())

    return make


def refusal(call, *arguments):
    with pytest.raises(UserError) as error:
        call(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_first_folder_is_the_label():
    claims = read_folders(["dog/b.wav", "cat/deep/er/a.flac", "stray.wav"])
    assert claims.clip_ids == ["cat/deep/er/a.flac", "dog/b.wav", "stray.wav"]
    assert claims.labels == [("cat",), ("dog",), ()]


def test_folders_named_as_splits_are_splits():
    claims = read_folders(["train/dog/a.wav", "Test/cat/b.wav", "val/cat/c.wav"])
    assert claims.labels == [("cat",), ("dog",), ("cat",)]
    assert claims.splits == ["test", "train", "validation"]


def test_one_folder_named_as_a_split_is_a_label():
    assert read_folders(["train/a.wav", "bus/b.wav"]).labels == [("bus",), ("train",)]


@pytest.mark.parametrize("file", ["file", "filename", "Path", "fname", "clip"])
@pytest.mark.parametrize("label", ["label", "labels", "Category", "class"])
def test_csv_columns_by_any_of_their_names(clips, file, label):
    claims = clips(["a.wav", "b.wav"], f"{label},extra,{file}\ndog ; bark,x,a.wav\ncat,x,b.wav\n")
    assert claims.source == "csv"
    assert claims.uris == ["a.wav", "b.wav"]
    assert claims.labels == [("dog", "bark"), ("cat",)]


def test_csv_with_everything_it_may_say(clips):
    claims = clips(
        ["a.wav", "b.wav"],
        "\ufefffile,label,split,fold,src_file,start_s,end_seconds\na.wav,dog,TRAIN,1,g,0.5,1.5\nb.wav,cat,valid,2,,,\n",
    )
    assert claims == Claims(
        source="csv",
        clip_ids=["a.wav#0.5-1.5", "b.wav"],
        uris=["a.wav", "b.wav"],
        labels=[("dog",), ("cat",)],
        starts=[0.5, None],
        ends=[1.5, None],
        splits=["train", "validation"],
        folds=["1", "2"],
        groups=["g", None],
        places=["clips.csv line 2", "clips.csv line 3"],
    )


def test_files_are_found_beside_the_csv_in_audio_or_by_a_unique_name(clips):
    claims = clips(
        ["here.wav", "audio/there.wav", "x/deep.wav", "x/twice.wav", "y/twice.wav"],
        "file,label\n./here.wav,a\nthere.wav,b\nold/place/deep.wav,a\ntwice.wav,a\n../out.wav,b\n",
    )
    assert claims.uris == ["here.wav", "audio/there.wav", "x/deep.wav", "twice.wav", "../out.wav"]


def test_absolute_paths_into_the_data_are_found(write, noise):
    root = write("x/a.wav", noise(1))
    write("y/a.wav", noise(2))
    write("clips.csv", f"file,label\n{root}/x/a.wav,a\n")
    assert read_claims(open_root(str(root)), DataConfig()).uris == ["x/a.wav"]


def test_rows_that_say_the_same_clip_twice_stay_apart(clips):
    claims = clips(["a.wav"], "file,label,start,end\na.wav,x,0,1\na.wav,y,0,1\na.wav,y,1,2\n")
    assert claims.clip_ids == ["a.wav#0-1", "a.wav#0-1@3", "a.wav#1-2"]


def test_quoted_cells_may_hold_commas_and_line_breaks(clips):
    claims = clips(["a, b.wav"], 'file,label,note\n"a, b.wav",x,"two\nlines"\n')
    assert claims.uris == ["a, b.wav"]


def test_a_named_csv_is_used_among_several(write, noise):
    root = write("a.wav", noise(1))
    write("one.csv", "file,label\na.wav,x\n")
    write("two.csv", "file,label\na.wav,y\n")
    told = refusal(read_claims, open_root(str(root)), DataConfig())
    assert "one.csv and two.csv" in told
    assert "name the one to use" in told
    assert read_claims(open_root(str(root / "two.csv")), DataConfig()).labels == [("y",)]


def test_the_only_csv_with_the_columns_is_used(write, clips):
    write("notes.csv", "day,weather\n1,rain\n")
    assert clips(["a.wav"], "file,label\na.wav,x\n").labels == [("x",)]


def test_a_list_of_labels_is_read_beside_the_clips(write, noise):
    root = write("dog/a.wav", noise(1))
    write("labels.csv", "index,mid,display_name\n0,/m/0bt9lr,dog\n1,/m/01yrx,cat\n")
    claims = read_claims(open_root(str(root)), DataConfig())
    assert claims.source == "folders"
    assert claims.declared == [("/m/0bt9lr", "dog"), ("/m/01yrx", "cat")]


@pytest.mark.parametrize(
    ("csv", "words"),
    [
        ("name,tag\na.wav,x\n", ["clips.csv", "name, tag", "needs file (or filename", "label (or labels", "rename"]),
        ("file,tag\na.wav,x\n", ["file, tag", "needs label"]),
        ("", ["clips.csv has no columns"]),
        ("file,label\n", ["no rows", "add a row"]),
        ("file,label\nz.wav,x\n", ["none of the 1 files", "'z.wav'", "audio/"]),
        ("file,label,start,end\na.wav,x,2,1\n", ["line 2", "start 2 is not before end 1"]),
        ("file,label,end\na.wav,x,0\n", ["line 2", "start 0 is not before end 0"]),
        ("file,label,start\na.wav,x,soon\n", ["line 2", "'soon'", "seconds"]),
        ("file,label,start\na.wav,x,-1\n", ["line 2", "'-1'"]),
        ("file,label,end\na.wav,x,inf\n", ["line 2", "'inf'"]),
        ("file,label,split\na.wav,x,trian\n", ["line 2", "'trian'", "did you mean 'train'"]),
        ("file,label,fold\na.wav,x,1\na.wav,y,\n", ["line 3", "no fold", "fill it in"]),
        ("file,fold,label\na.wav,1\n", ["line 2", "2 of 3 cells"]),
        ('file,label\n"a.wav,x\n', ["cannot be read as CSV", "double quotes"]),
        (b"file,label\n\xff.wav,x\n", ["not UTF-8", "byte 11"]),
    ],
)
def test_bad_csvs_are_refused_with_the_line_and_the_remedy(clips, csv, words):
    told = refusal(clips, ["a.wav"], csv)
    for word in words:
        assert word in told


def test_esc_names_give_group_and_fold(clips):
    claims = clips(["dog/1-100032-A-0.wav", "rain/3-17367-B.wav"])
    assert claims.groups == ["100032", "17367"]
    assert claims.folds == ["1", "3"]


def test_esc_names_give_way_to_what_the_csv_says(clips):
    claims = clips(["1-10-A.wav"], "file,label,group,split\n1-10-A.wav,x,mine,test\n")
    assert (claims.groups, claims.folds, claims.splits) == (["mine"], [None], ["test"])


def test_one_other_name_and_none_counts_as_esc():
    claims = read_folders(["dog/1-100032-A.wav", "dog/other.wav"])
    assert fill_from_names(claims) is claims
