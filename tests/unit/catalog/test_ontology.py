"""Ontologies: ancestors as labels, what is never a label, and how bad files are refused."""

import json

import pytest

from earmark.catalog.adapters import read_claims
from earmark.catalog.labels import index_labels
from earmark.catalog.ontology import parse_ontology
from earmark.catalog.root import open_root
from earmark.config import DataConfig
from earmark.errors import UserError


def entry(identity, name, children=(), *restrictions):
    return {"id": identity, "name": name, "child_ids": list(children), "restrictions": list(restrictions)}


ENTRIES = [
    entry("/m/sounds", "Sounds", ["/m/animal", "/m/pet"], "abstract"),
    entry("/m/animal", "Animal", ["/m/dog"]),
    entry("/m/pet", "Pet", ["/m/dog"], "blacklist"),
    entry("/m/dog", "Dog", ["/m/bark"]),
    entry("/m/bark", "Bark"),
    entry("/m/rain", "Rain"),
]


@pytest.fixture
def labelled(write, noise):
    """A folder a label, and an ontology; reads its claims."""

    def make(*labels, ontology=ENTRIES, csv=None):
        for seed, label in enumerate(labels):
            root = write(f"{label}/{seed}.wav", noise(seed, 0.01))
        if ontology is not None:
            write("meta/ontology.json", json.dumps(ontology, indent=2))
        if csv is not None:
            write("labels.csv", csv)
        return read_claims(open_root(str(root)), DataConfig(add_parents=True))

    return make


def test_ancestors_are_found_by_every_way_up():
    ontology = parse_ontology("o.json", json.dumps(ENTRIES))
    assert ontology.ancestors("/m/bark") == {"/m/dog", "/m/animal", "/m/pet", "/m/sounds"}
    assert list(ontology.labels) == ["/m/animal", "/m/dog", "/m/bark", "/m/rain"]


def test_names_of_folders_get_their_ancestors(labelled):
    claims = labelled("Bark", "Rain")
    assert claims.labels == [("/m/bark", "/m/animal", "/m/dog"), ("/m/rain",)]
    assert ("/m/animal", "Animal") in claims.declared


def test_a_list_of_labels_keeps_its_ids_and_order(labelled):
    claims = labelled("rain_sound", "doggy", csv="id,name\nrain_sound,Rain\ndoggy,Dog\n")
    assert claims.labels == [("doggy", "/m/animal"), ("rain_sound",)]
    assert claims.declared[:2] == [("rain_sound", "Rain"), ("doggy", "Dog")]
    assert ("/m/dog", "Dog") not in claims.declared
    labels, _, unknown = index_labels(claims.labels, claims.declared)
    assert [(label.id, label.name, label.count) for label in labels] == [
        ("rain_sound", "Rain", 1),
        ("doggy", "Dog", 1),
        ("/m/animal", "Animal", 1),
    ]
    assert unknown == [[], []]


def test_restricted_labels_are_taken_off_and_clips_without_another_dropped(labelled):
    claims = labelled("Pet", "Sounds", "Dog")
    assert claims.labels == [("/m/dog", "/m/animal")]
    assert claims.dropped_labels == {"Pet": 1, "Sounds": 1}
    assert claims.dropped == {"none of its labels is in use": 2}


def test_a_label_that_the_ontology_does_not_know_is_named(labelled):
    with pytest.raises(UserError, match=r"Cow/1.wav: label 'Cow' is neither an id nor a name in .*ontology.json"):
        labelled("Dog", "Cow")


def test_parents_need_an_ontology(labelled):
    with pytest.raises(UserError, match=r"data.add_parents: the data has no ontology.json"):
        labelled("Dog", ontology=None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[\n {"id": "a",\n "name" "A"}\n]', ["o.json line 3", "not valid JSON"]),
        (json.dumps([entry("a", "A"), entry("b", "B", ["c"])], indent=1), ["line 9", "'b' (B)", "'c'", "no entry"]),
        (json.dumps([entry("a", "A"), entry("a", "B")], indent=1), ["line 9", "'a'", "2 times"]),
        (json.dumps([entry("z", "Z"), entry("a", "A", ["a"])], indent=1), ["line 9", "below itself, a > a:"]),
        (json.dumps([entry("a", "A"), {"id": "b"}]), ["entry 2 ('b')", "name"]),
        (json.dumps([{"id": "b", "name": "B", "child_ids": "a"}]), ["entry 1 ('b')", "child_ids"]),
        (json.dumps([7]), ["entry 1 needs"]),
        ('{"a": 1}', ["not a list"]),
    ],
)
def test_bad_ontologies_are_refused_with_the_entry_and_its_line(text, words):
    with pytest.raises(UserError) as error:
        parse_ontology("o.json", text)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_a_circle_is_told_from_parent_to_child():
    circle = [entry("z", "Z", ["a"]), entry("a", "A", ["b"]), entry("b", "B", ["c"]), entry("c", "C", ["a"])]
    with pytest.raises(UserError) as error:
        parse_ontology("o.json", json.dumps(circle))
    assert any(turn in str(error.value) for turn in ("a > b > c > a", "b > c > a > b", "c > a > b > c"))


def test_other_encodings_are_refused(write, labelled):
    write("ontology.json", '[\n"\xe9"]'.encode("latin-1"))
    with pytest.raises(UserError, match=r"ontology.json line 2 is not UTF-8"):
        labelled("Dog", ontology=None)
