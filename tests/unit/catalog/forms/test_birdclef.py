"""BirdCLEF as published: species with those in the background, authors as groups, names from the taxonomy."""

import pytest

from earmark.catalog.adapters import read_claims
from earmark.catalog.root import open_root
from earmark.config import DataConfig
from earmark.errors import UserError

HEADER = (
    "primary_label,secondary_labels,type,latitude,longitude,scientific_name,common_name,author,license,rating,url,"
    "filename\n"
)


def row(label, others, author, filename):
    return f'{label},"{others}","[\'call\', \'song\']",4.3,38.2,Turdus tephronotus,"Thrush, African",{author},CC,4.0,https://x,{filename}\n'


META = HEADER + "".join(
    [
        row("abethr1", "[]", "Rolf A. de By", "abethr1/XC128013.ogg"),
        row("abethr1", "['asbfly', 'abethr1']", "Rolf A. de By", "abethr1/XC363501.ogg"),
        row("asbfly", "['']", "", "asbfly/XC134896.ogg"),
        row("1139490", "", "Fabio A. Sarria-S", "1139490/CSA36385.ogg"),
    ]
)
TAXONOMY = (
    "primary_label,inat_taxon_id,scientific_name,common_name,class_name\n"
    "abethr1,1,Turdus tephronotus,African Bare-eyed Thrush,Aves\n"
    "asbfly,2,Muscicapa dauurica,Asian Brown Flycatcher,Aves\n"
    "1139490,1139490,Ragoniella pulchella,Ragoniella pulchella,Insecta\n"
)


@pytest.fixture
def birds(write, noise):
    """A made copy; returns the data folder."""

    def make(meta=META, listed="train_metadata.csv", folder="train_audio/", taxonomy=None):
        for seed, line in enumerate(META.splitlines()[1:]):
            write(f"{folder}{line.rpartition(',')[2]}", noise(seed, 0.1))
        write("train_soundscapes/1.ogg", noise(9, 0.1))
        write("sample_submission.csv", "row_id,abethr1,asbfly\n")
        if taxonomy:
            write("taxonomy.csv", taxonomy)
        return write(listed, meta)

    return make


def claims_of(root, **config):
    return read_claims(open_root(str(root)), DataConfig(**config))


@pytest.mark.parametrize("listed", ["train_metadata.csv", "train.csv"])
def test_species_backgrounds_and_authors(birds, listed):
    claims = claims_of(birds(listed=listed))
    assert claims.source == "birdclef"
    assert claims.uris[0] == "train_audio/abethr1/XC128013.ogg"
    assert claims.labels == [("abethr1",), ("abethr1", "asbfly"), ("asbfly",), ("1139490",)]
    assert claims.groups == ["Rolf A. de By", "Rolf A. de By", None, "Fabio A. Sarria-S"]
    assert claims.declared is None
    assert claims.places[2] == f"{listed} line 4"


def test_names_without_the_species_folder_are_found(birds):
    claims = claims_of(birds(META.replace(",abethr1/", ",").replace(",asbfly/", ","), folder="train_short_audio/"))
    assert claims.uris[:3] == [
        "train_short_audio/abethr1/XC128013.ogg",
        "train_short_audio/abethr1/XC363501.ogg",
        "train_short_audio/asbfly/XC134896.ogg",
    ]


def test_the_taxonomy_names_the_species(birds):
    claims = claims_of(birds(taxonomy=TAXONOMY))
    assert claims.declared == [
        ("abethr1", "African Bare-eyed Thrush"),
        ("asbfly", "Asian Brown Flycatcher"),
        ("1139490", "Ragoniella pulchella"),
    ]


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        (
            META.replace("['asbfly', 'abethr1']", "__import__('os').getcwd()"),
            ["line 3", "secondary_labels is", "write a list"],
        ),
        (META.replace("['asbfly', 'abethr1']", "['asbfly'"), ["line 3", "write a list"]),
        (META.replace("['asbfly', 'abethr1']", "{'asbfly': 1}"), ["line 3", "write a list"]),
        (META.replace(",filename", ",file_name"), ["train_metadata.csv", "needs filename"]),
        (META + META.splitlines()[1] + "\n", ["line 6", "line 2 already"]),
        (META.replace("1139490,", ",", 1), ["line 5", "primary_label must be there"]),
        (META.replace(".ogg", ".mp3"), ["none of the 4 recordings", "put train_audio/"]),
        (META.replace(",", ";"), ["line 1 separates its columns by semicolons"]),
    ],
)
def test_bad_lists_are_refused(birds, meta, words):
    with pytest.raises(UserError) as error:
        claims_of(birds(meta))
    for word in words:
        assert word in str(error.value)
