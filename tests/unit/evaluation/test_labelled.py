"""The step evaluate_package: the scores of an evaluation, on clips that the model was not made of."""

import csv
import json
import shutil
from types import SimpleNamespace

import pyarrow as pa
import pytest

from earmark.catalog import assemble_dataset, build_catalog
from earmark.config import DataConfig
from earmark.errors import UserError
from earmark.evaluation import Packaged, evaluate_package, report_package
from earmark.evaluation.labelled_report import remarks
from earmark.features import extract_features
from earmark.store.tables import read_table

from .conftest import QUIET

ALL = DataConfig(all_test=True, max_rejected_share=1.0)


def find(chain, data, experiment):
    """Catalog, patches and dataset of labelled sound, all of it test."""
    catalog = build_catalog(chain.store, str(data), ALL, QUIET)
    patches = extract_features(chain.store, catalog, experiment.base.features, ALL, QUIET)
    return catalog, patches, assemble_dataset(chain.store, catalog, patches, ALL, QUIET)


@pytest.fixture(scope="module")
def packaged(chain, checkpoints, metrics, document):
    """The AlexNet of the chain as its package tells of it."""
    checkpoint = checkpoints["alexnet"]
    claimed = read_table(chain.catalog.files["clips.parquet"].read(chain.store)).to_pylist()
    used = read_table(chain.dataset.files["dataset.parquet"].read(chain.store)).to_pylist()
    split = {row["clip_id"]: row["split"] for row in used}
    clips = pa.table(
        {
            "sha256": [row["sha256"] for row in claimed],
            "split": pa.array([split.get(row["clip_id"]) for row in claimed], pa.string()),
        }
    )
    model = document(checkpoint, "model.json")
    fitted = document(metrics["alexnet"], "calibration.json")
    weights = checkpoint.files["weights.safetensors"].read(chain.store)
    return Packaged("earmark/1", weights, {**model, "calibration": fitted}, clips)


@pytest.fixture(scope="module")
def evaluated(chain, three_labels, experiment, packaged):
    inputs = find(chain, three_labels, experiment)

    def call(package=packaged, include_trained=False):
        return evaluate_package(chain.store, package, *inputs, include_trained, QUIET)

    return SimpleNamespace(call=call, dataset=inputs[-1])


@pytest.fixture(scope="module")
def other_sound(three_labels, tmp_path_factory):
    """The test clips under folders: two labels that the model knows, one that it does not, and a broken file."""
    folder = tmp_path_factory.mktemp("other")
    with (three_labels / "clips.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = sorted({row["label"] for row in rows})
    kept = {names[0]: names[0], names[1]: names[1], names[2]: "siren"}
    for row in rows:
        if row["fold"] == "3":
            (folder / kept[row["label"]]).mkdir(exist_ok=True)
            shutil.copy(three_labels / "audio" / row["filename"], folder / kept[row["label"]])
    (folder / "siren" / "broken.wav").write_bytes(b"RIFF")
    return folder, names


def test_on_its_own_data_a_model_scores_what_it_scored_when_it_was_made(evaluated, metrics):
    found = evaluated.call()
    assert found.facts["clips"] == {"test": metrics["alexnet"].facts["clips"]["test"]}
    for name in ("auc", "map", "accuracy"):
        assert found.facts["test"][name] == pytest.approx(metrics["alexnet"].facts["test"][name], abs=1e-9)
    assert found.facts["calibration"]["test"] == pytest.approx(metrics["alexnet"].facts["calibration"]["test"])


def test_clips_of_training_and_validation_are_named_and_left_out(chain, evaluated, document):
    found = evaluated.call()
    used = chain.dataset.facts["clips"]
    left_out = document(found, "left_out.json")
    assert found.facts["left_out"]["trained on"] == used["train"] + used["validation"] == len(left_out)
    assert found.facts["trained"] == 0
    assert {row["detail"] for row in left_out} == {"in its train part", "in its validation part"}
    assert {row["clip_id"] for row in left_out}.isdisjoint(clip.clip_id for clip in chain.opened.clips("test"))


def test_included_they_are_counted_and_said_to_flatter(evaluated, chain):
    found = evaluated.call(include_trained=True)
    used = chain.dataset.facts["clips"]
    assert found.facts["clips"] == {"test": sum(used.values())}
    assert found.facts["trained"] == used["train"] + used["validation"]
    assert any("flatter" in sentence for sentence in remarks(found.facts))


def test_a_package_that_does_not_tell_its_clips_is_scored_on_all_and_that_is_said(evaluated, packaged):
    found = evaluated.call(Packaged(packaged.title, packaged.weights, {**packaged.document, "run": "old"}, None))
    assert found.facts["trained"] is None
    assert any("does not tell" in sentence for sentence in remarks(found.facts))


def test_labels_of_one_side_only_are_named_and_in_no_mean(chain, experiment, packaged, other_sound, document):
    folder, names = other_sound
    found = evaluate_package(chain.store, packaged, *find(chain, folder, experiment), False, QUIET)
    assert found.facts["labels"] == {"common": names[:2], "model_only": names[2:], "data_only": ["siren"]}
    assert found.facts["left_out"]["no label that the model knows"] == 4
    classes = {row["label"]: row for row in document(found, "metrics.json")["test"]["classes"]}
    assert classes[names[2]]["ap"] is None
    assert found.facts["test"]["map"] == pytest.approx((classes[names[0]]["ap"] + classes[names[1]]["ap"]) / 2)
    said = " ".join(remarks(found.facts))
    assert "Unknown to the model, and so in no mean: siren (four clips left out)." in said


def test_labels_meet_by_their_ids_before_their_names(chain, experiment, packaged, other_sound):
    folder, names = other_sound
    known = {**packaged.document, "label_ids": [names[1], "/m/a", "siren"]}
    inputs = find(chain, folder, experiment)
    found = evaluate_package(
        chain.store, Packaged("earmark/2", packaged.weights, known, packaged.clips), *inputs, False, QUIET
    )
    assert found.facts["labels"]["data_only"] == []


def test_no_label_in_common_is_refused_with_both_sides(chain, experiment, packaged, other_sound):
    stranger = {**packaged.document, "labels": ["x", "y", "z"]}
    inputs = find(chain, other_sound[0], experiment)
    with pytest.raises(UserError, match=r"earmark/1 knows none of the labels of .*: it knows x, y, z, the data has"):
        evaluate_package(
            chain.store, Packaged("earmark/1", packaged.weights, stranger, packaged.clips), *inputs, False, QUIET
        )


def test_data_that_was_all_trained_on_is_refused_with_the_remedy(chain, experiment, packaged, evaluated):
    clips = packaged.clips.set_column(1, "split", pa.array(["train"] * packaged.clips.num_rows))
    whole = Packaged("earmark/1", packaged.weights, {**packaged.document, "run": "all"}, clips)
    with pytest.raises(UserError, match="--include-trained"):
        evaluated.call(whole)


def test_done_again_nothing_is_computed_whatever_the_model_is_called(evaluated, packaged):
    first = evaluated.call()
    again = evaluated.call(Packaged("elsewhere", packaged.weights, packaged.document, packaged.clips))
    assert again.reused
    assert again.facts == {**first.facts, "model": "elsewhere"}


def test_the_page_is_that_of_one_network_with_what_was_left_out(chain, evaluated, packaged):
    found = evaluated.call()
    page = report_package(chain.store, found, packaged.document, evaluated.dataset, "evaluate-1")
    html = page.files["report.html"].read(chain.store).decode()
    assert "How far to trust a score" in html
    assert "trained on" in html
    assert "earmark evaluate earmark/1 --data" in html
    assert json.loads(page.files["metrics.json"].read(chain.store))["digest"] == found.facts["digest"]
