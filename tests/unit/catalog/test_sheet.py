"""CSVs that are none: other delimiters, other encodings, rows that do not fit; named with the line."""

from collections import Counter

import pytest

from earmark.catalog.adapters import read_claims
from earmark.catalog.root import open_root
from earmark.catalog.sheet import Sheet
from earmark.config import DataConfig, digest
from earmark.errors import UserError


@pytest.fixture
def read(write, noise):
    def make(content):
        write("a.wav", noise(1, 0.01))
        return Sheet.read(open_root(str(write("clips.csv", content))), "clips.csv")

    return make


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "file;label\na.wav;x\n",
            ["clips.csv line 1 separates its columns by semicolons (';')", "save it with commas"],
        ),
        ("file\tlabel\na.wav\tx\n", ["line 1 separates its columns by tabs"]),
        ('"file"|"label"\n"a.wav"|"x"\n', ["line 1 separates its columns by bars"]),
        ("file;label;note\na.wav;x;one, two\n", ["by semicolons"]),
        ("file,label\na.wav,x\na.wav,dog, small\n", ["line 3 has 3 cells and the header 2", "double quotes around"]),
        ("file,label\na.wav\n", ["line 2 has 1 of 2 cells"]),
        ('file,label\na.wav,x\n"a.wav,x\n', ["line 3 cannot be read as CSV"]),
        ("file,label\na.wav,x\n".encode("utf-16"), ["line 1 is UTF-16", "byte 0", "save it as UTF-8"]),
        ("file,label\na.wav,x\n".encode("utf-16-le"), ["line 1 has a NUL (byte 1), as UTF-16 has"]),
        (b"file,label\na.wav,x\nb\0.wav,x\n", ["line 3 has a NUL (byte 20)"]),
        (
            "file,label\na.wav,x\nbär.wav,x\n".encode("latin-1"),
            ["line 3 is not UTF-8", "byte 20 is 0xe4, 'ä' in Latin-1"],
        ),
    ],
)
def test_what_cannot_be_read_is_named_with_the_line(read, content, words):
    with pytest.raises(UserError) as error:
        read(content)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_a_csv_of_clips_and_a_list_of_labels_are_read_once(write, noise, monkeypatch):
    write("a.wav", noise(1, 0.01))
    write("labels.csv", "id,name\nx,cat\n")
    root = open_root(str(write("clips.csv", "file,label\na.wav,x\n")))
    read, counted = root.store.get, Counter()
    monkeypatch.setattr(root.store, "get", lambda key: counted.update([key]) or read(key))
    claims = read_claims(root, DataConfig())
    assert (claims.source, claims.labels, claims.declared) == ("csv", [("x",)], [("x", "cat")])
    assert counted == {"clips.csv": 1, "labels.csv": 1}
    assert not root.sheets


def test_the_digest_of_a_root_is_that_of_its_whole_listing(write, noise, monkeypatch):
    for number in range(5):
        write(f"{number}.wav", noise(number, 0.01))
    root = open_root(str(write("clips.csv", "file,label\n0.wav,x\n")))
    listed = [[info.key, info.size, info.mark] for info in (*root.lists.values(), *root.audio.values())]
    monkeypatch.setattr("earmark.catalog.root.OBJECTS_A_PIECE", 2)
    assert root.digest() == digest([root.store.uri, None, listed])


def test_empty_cells_past_the_header_are_no_matter(read):
    assert read("file,label\na.wav,x,,\n").columns == {"file": ["a.wav"], "label": ["x"]}


def test_a_table_of_other_things_may_have_any_delimiter(read):
    assert read("day;weather\n1;rain\n").columns == {}


def test_columns_of_a_data_set_go_by_its_names(write, noise):
    write("a.wav", noise(1, 0.01))
    root = open_root(str(write("bird.csv", "primary_label,filename\nx,a.ogg\n")))
    sheet = Sheet.read(root, "bird.csv", {"file": ("filename",), "label": ("code", "ebird_code")})
    assert sheet.texts("file") == ["a.ogg"]
    assert "needs code (or ebird_code): rename" in str(sheet.without("file", "label"))
