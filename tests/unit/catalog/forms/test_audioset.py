"""Audio Set as published: headers, quoted lists, ids in file names, missing clips, labels that are not used."""

import io
import json

import pytest

from earmark.catalog import build_catalog
from earmark.catalog.adapters import read_claims
from earmark.catalog.root import open_root
from earmark.config import DataConfig
from earmark.errors import UserError
from earmark.progress import Progress
from earmark.store import open_store
from earmark.store.tables import read_table

HEAD = (
    "# Segments csv created Sun Mar  5 10:54:31 2017\n"
    "# num_ytids=22160, num_segs=22160, num_unique_labels=527, num_positive_labels=52882\n"
    "# YTID, start_seconds, end_seconds, positive_labels\n"
)
BALANCED = (
    '--PJHxphWEs, 30.000, 40.000, "/m/09x0r,/t/dd00088"\n'
    '_-YK_-_-123, 0.000, 10.000, "/m/0bt9lr"\n'
    'Y12_34_5678, 30.000, 40.000, "/m/09x0r"\n'
)
EVAL = '-0RWZT-miFs, 420.000, 430.000, "/m/0bt9lr,/m/09x0r"\n--gone-----, 1.500, 11.500, "/m/0bt9lr"\n'
CLASSES = 'index,mid,display_name\n0,/m/09x0r,"Speech"\n1,/t/dd00088,"Gush"\n2,/m/0bt9lr,"Dog"\n3,/m/04rlf,"Music"\n'
ONTOLOGY = [
    {"id": "/m/0jbk", "name": "Animal", "child_ids": ["/m/0bt9lr"], "restrictions": []},
    {"id": "/m/0bt9lr", "name": "Dog", "child_ids": [], "restrictions": []},
    {"id": "/m/0dgw9r", "name": "Human sounds", "child_ids": ["/m/09x0r"], "restrictions": ["abstract"]},
    {"id": "/m/09x0r", "name": "Speech", "child_ids": [], "restrictions": []},
    {"id": "/t/dd00088", "name": "Gush", "child_ids": [], "restrictions": ["blacklist"]},
    {"id": "/m/04rlf", "name": "Music", "child_ids": [], "restrictions": []},
]
FILES = ("balanced/--PJHxphWEs_30.000_40.000.wav", "Y_-YK_-_-123.wav", "x/Y12_34_5678.wav", "e/Y-0RWZT-miFs_420000.wav")


@pytest.fixture
def audioset(write, noise):
    """A made copy; returns the data folder."""

    def make(files=FILES, balanced=BALANCED, evaluated=EVAL, classes=CLASSES, ontology=None):
        for seed, name in enumerate(files):
            root = write(name, noise(seed, 0.01))
        listed = {"balanced_train_segments.csv": balanced, "eval_segments.csv": evaluated}
        for name, lines in listed.items():
            if lines is not None:
                write(name, HEAD + lines)
        if classes:
            write("class_labels_indices.csv", classes)
        if ontology:
            write("ontology.json", json.dumps(ontology, indent=1))
        return root

    return make


def claims_of(root, **config):
    return read_claims(open_root(str(root)), DataConfig(**config))


def refusal(root, **config):
    with pytest.raises(UserError) as error:
        claims_of(root, **config)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_copy_is_recognised_and_read(audioset):
    claims = claims_of(audioset())
    assert claims.source == "audioset"
    assert claims.uris == list(FILES)
    assert claims.labels == [("/m/09x0r", "/t/dd00088"), ("/m/0bt9lr",), ("/m/09x0r",), ("/m/0bt9lr", "/m/09x0r")]
    assert claims.splits == ["train", "train", "train", "test"]
    assert claims.groups == ["--PJHxphWEs", "_-YK_-_-123", "Y12_34_5678", "-0RWZT-miFs"]
    assert claims.declared[2] == ("/m/0bt9lr", "Dog")
    assert claims.places[3] == "eval_segments.csv line 4"


def test_the_whole_file_is_the_clip(audioset):
    claims = claims_of(audioset())
    assert (claims.starts, claims.ends) == ([None] * 4, [None] * 4)


@pytest.mark.parametrize(
    ("name", "is_it"),
    [
        ("Y12_34_5678.wav", True),
        ("YY12_34_5678.flac", True),
        ("a/b/Y12_34_5678_30.000_40.000.wav", True),
        ("YY12_34_5678_30_40.ogg", True),
        ("Y12_34_5678_30000_40000.mp3", True),
        ("YY12_34_5678_30000.wav", True),
        ("Y12_34_5678_40_50.wav", False),
        ("Y12_34_5678_30_35.wav", False),
        ("Y12_34_567.wav", False),
        ("12_34_5678.wav", False),
        ("Y12_34_5678_copy.wav", False),
    ],
)
def test_a_file_is_found_by_the_id_and_times_in_its_name(audioset, name, is_it):
    claims = claims_of(audioset(files=(*FILES[:2], name)))
    assert (name in claims.uris) == is_it


def test_a_file_whose_name_gives_the_times_is_preferred(audioset):
    claims = claims_of(audioset(files=("Y12_34_5678.wav", "z/Y12_34_5678_30_40.wav")))
    assert claims.uris == ["z/Y12_34_5678_30_40.wav"]


def test_missing_clips_are_counted_by_label_and_do_not_count_as_rejected(audioset, tmp_path):
    told = io.StringIO()
    root = audioset(files=FILES[1:])
    store = open_store(tmp_path / "store")
    manifest = build_catalog(store, str(root), DataConfig(), Progress("test", mode="plain", stream=told))
    assert manifest.facts["dropped"] == {"no file": 2}
    assert manifest.facts["coverage"] == {"Speech": [2, 3], "Gush": [0, 1], "Dog": [2, 3]}
    assert "3 of 5 listed clips are there; least: Gush 0 of 1, Dog 2 of 3, Speech 2 of 3" in told.getvalue()
    rows = read_table(manifest.files["clips.parquet"].read(store)).to_pylist()
    assert all(row["sha256"] for row in rows)


def test_one_list_alone_leaves_the_splits_to_hashes(audioset):
    root = audioset()
    assert claims_of(root / "balanced_train_segments.csv").splits == [None] * 3
    assert claims_of(root / "eval_segments.csv").uris == [FILES[3]]


def test_abstract_and_restricted_labels_are_taken_off_and_counted(audioset):
    claims = claims_of(audioset(balanced=BALANCED.replace('"/m/0bt9lr"', '"/m/0dgw9r"'), ontology=ONTOLOGY))
    assert claims.labels == [("/m/09x0r",), ("/m/09x0r",), ("/m/0bt9lr", "/m/09x0r")]
    assert claims.dropped_labels == {"Gush": 1, "Human sounds": 1}
    assert claims.dropped == {"no file": 1, "none of its labels is in use": 1}
    assert [name for _, name in claims.declared] == ["Speech", "Dog", "Music"]
    assert claims.coverage == {"Speech": (3, 3), "Dog": (1, 2)}


def test_a_shorter_list_of_classes_leaves_labels_out(audioset):
    shorter = "".join(line for line in CLASSES.splitlines(keepends=True) if "Dog" not in line)
    claims = claims_of(audioset(classes=shorter, ontology=ONTOLOGY))
    assert claims.dropped_labels == {"Gush": 1, "Dog": 1 + 1}
    assert {label for labels in claims.labels for label in labels} == {"/m/09x0r"}


def test_names_come_from_the_ontology_where_there_is_no_list_of_classes(audioset):
    claims = claims_of(audioset(classes=None, ontology=ONTOLOGY))
    assert claims.declared == [
        ("/m/0jbk", "Animal"),
        ("/m/0bt9lr", "Dog"),
        ("/m/09x0r", "Speech"),
        ("/m/04rlf", "Music"),
    ]


def test_mids_name_themselves_where_nothing_else_does(audioset):
    assert claims_of(audioset(classes=None)).declared[0] == ("/m/09x0r", "/m/09x0r")


def test_parents_become_labels_after_those_of_the_list(audioset):
    claims = claims_of(audioset(ontology=ONTOLOGY), add_parents=True)
    assert claims.labels[1] == ("/m/0bt9lr", "/m/0jbk")
    assert claims.declared[-1] == ("/m/0jbk", "Animal")
    assert claims.declared[0] == ("/m/09x0r", "Speech")


def test_a_clip_listed_twice_is_taken_once_and_never_in_train_and_test(audioset):
    line = BALANCED.splitlines(keepends=True)[1]
    assert claims_of(audioset(balanced=BALANCED + line)).dropped == {"no file": 1, "listed before": 1}
    told = refusal(audioset(evaluated=EVAL + line))
    assert "eval_segments.csv line 6: '_-YK_-_-123' is a clip of test, and of train by" in told
    assert "balanced_train_segments.csv line 5" in told


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--PJHxphWEs, 40.000, 30.000, x", ["line 4", "start 40 is not before end 30"]),
        ("--PJHxphWEs, 40.000, 40.000, x", ["line 4", "not before"]),
        ("--PJHxphWEs, -1.000, 30.000, x", ["line 4", "start '-1.000'", "0 or more"]),
        ("--PJHxphWEs, 0.000, ten, x", ["line 4", "end 'ten'"]),
        ("--PJHxphWEs, 0.000, nan, x", ["line 4", "end 'nan'"]),
        ("--PJHxphWEs, 0.000, 10.000", ["line 4", "3 cells and needs 4", "positive_labels"]),
        ("--PJHxphWEs, 0.000, 10.000, /m/a,/m/b", ["line 4", "5 cells", "quotes"]),
        ("--PJHxphWEs; 0.000; 10.000; x", ["line 4", "1 cells", "commas"]),
        ("#NAME?, 0.000, 10.000, x", ["line 4", "'#NAME?'", "id of a video"]),
        ('--PJHxphWEs, 0.000, 10.000, "/m/0nope"', ["line 4", "'/m/0nope'", "class_labels_indices.csv"]),
        ('--PJHxphWEs, 0.000, 10.000, "/m/09x0r', ["balanced_train_segments.csv line 4", "cannot be read as CSV"]),
    ],
)
def test_bad_lines_are_refused_with_file_and_line(audioset, line, words):
    told = refusal(audioset(balanced=line + "\n" + "".join(BALANCED.splitlines(keepends=True)[1:])))
    for word in ["balanced_train_segments.csv", *words]:
        assert word in told


def test_other_bad_copies(audioset, write):
    for line in ("4,/m/09x0r,Again\n", "4,/m/1,Dog\n"):
        assert "class_labels_indices.csv line 6: mids and names" in refusal(audioset(classes=CLASSES + line))
    assert "line 1 has the columns mid, name and needs" in refusal(audioset(classes="mid,name\n"))
    assert "none of the segments" in refusal(audioset(balanced=f"{'-' * 11}, 0, 1, /m/04rlf\n", evaluated=""))
    assert "2 files eval_segments.csv" in refusal(write("more/eval_segments.csv", HEAD))
