"""Which folds and seeds are run over, and what is refused before anything runs."""

import pytest

from earmark.config import DataConfig
from earmark.errors import UserError
from earmark.pipelines.folds import Folds, choose_folds, choose_seeds, crossval_request


def write(folder, header, *rows):
    folder.mkdir()
    for row in rows:
        (folder / row.split(",")[0]).write_bytes(b"")
    (folder / "clips.csv").write_text("\n".join([header, *rows]) + "\n")
    return str(folder)


@pytest.fixture
def folded(tmp_path):
    return write(tmp_path / "folded", "file,label,fold", "a.wav,x,1", "b.wav,x,2", "c.wav,y,10", "d.wav,y,1")


@pytest.fixture
def plain(tmp_path):
    return write(tmp_path / "plain", "file,label", "a.wav,x", "b.wav,y")


def test_folds_by_all_by_name_and_made(folded, plain):
    assert choose_folds("all", folded, DataConfig()) == Folds(("1", "2", "10"))
    assert choose_folds("10, 1", folded, DataConfig()) == Folds(("10", "1"))
    assert choose_folds("3", plain, DataConfig()) == Folds(("1", "2", "3"), make=3)


def test_where_the_test_set_is_given_folds_are_the_validation_part(tmp_path):
    rows = ["a.wav,x,1,train", "b.wav,x,2,train", "c.wav,y,1,train", "d.wav,y,3,test"]
    data = write(tmp_path / "given", "file,label,fold,split", *rows)
    assert choose_folds("all", data, DataConfig()) == Folds(("1", "2"), "validation_folds")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,22", "did you mean '2'"),
        ("5", "unknown fold"),
        ("1", "is one fold and needs two or more"),
        ("", "is no fold and needs two or more"),
    ],
)
def test_folds_that_cannot_be_are_refused(folded, text, message):
    with pytest.raises(UserError, match=message):
        choose_folds(text, folded, DataConfig())


@pytest.mark.parametrize(
    ("text", "message"), [("all", "names no folds"), ("a,b", "names no folds"), ("1", "at least 2")]
)
def test_data_without_folds_says_what_to_do(plain, text, message):
    with pytest.raises(UserError, match=message):
        choose_folds(text, plain, DataConfig())


def test_seeds_are_a_number_of_them_or_numbers():
    assert choose_seeds(None, 7) == [7]
    assert choose_seeds("3", 7) == [7, 8, 9]
    assert choose_seeds("3,4", 7) == [3, 4]


@pytest.mark.parametrize("text", ["0", "-1", "x", "3,3", "", "1000"])
def test_seeds_that_cannot_be_are_refused(text):
    with pytest.raises(UserError, match="--seeds"):
        choose_seeds(text, 0)


def test_a_variant_is_a_network_a_fold_and_a_seed():
    patch = {"train": {"steps": 4}, "seed": 5}
    made = crossval_request("quick", patch, ["vgg", "alexnet"], Folds(("A b", "a-b")), "2")
    assert [v.name for v in made.variants][:3] == [
        "vgg.fold-1-a-b.seed-5",
        "vgg.fold-2-a-b.seed-5",
        "vgg.fold-1-a-b.seed-6",
    ]
    assert len(made.variants) == 8
    config = made.variant("alexnet.fold-2-a-b.seed-6")
    assert (config.architecture.name, config.data.test_folds, config.seed) == ("alexnet", ("a-b",), 6)


def test_made_folds_are_in_the_base_and_folds_of_the_config_are_refused():
    made = crossval_request("quick", {"train": {"steps": 4}}, ["vgg"], Folds(("1", "2"), make=2), None)
    assert made.variants[0].name == "vgg.fold-1.seed-0"
    assert made.variant(made.variants[1].name).data.make_folds == 2
    own = {"train": {"steps": 4}, "data": {"test_folds": ["1"]}}
    with pytest.raises(UserError, match=r"data\.test_folds and --folds"):
        crossval_request("quick", own, ["vgg"], Folds(("1", "2")), None)


def test_a_checkpoint_to_go_on_from_is_of_one_model():
    patch = {"train": {"steps": 4, "resume_from": "/tmp/x"}}
    with pytest.raises(UserError, match="resume_from"):
        crossval_request("quick", patch, ["vgg"], Folds(), "2")
