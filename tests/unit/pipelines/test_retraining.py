from pathlib import Path

import pytest

from earmark.config import make_config
from earmark.errors import UserError
from earmark.pipelines.retraining import retrain_request
from earmark.pipelines.runs import run_id
from earmark.registry import Package


def champion(patch=None):
    config = make_config("quick", patch or {"architecture": {"name": "alexnet", "width": 0.3}, "train": {"steps": 77}})
    return Package(Path(), {"config": config.model_dump(mode="json")}, "birds", 3)


def only(experiment):
    [variant] = experiment.variants
    return experiment.variant(variant.name)


def test_by_default_the_champions_own_network_and_config_are_trained_from_fresh_weights():
    config = only(retrain_request(champion(), "scratch", None, (), {}))
    assert config.architecture.name == "alexnet"
    assert (config.architecture.width, config.train.steps, config.train.init_from) == (0.3, 77, None)


def test_what_the_champion_itself_began_with_is_not_repeated():
    began = champion({"architecture": {"name": "alexnet"}, "train": {"init_from": "initial/abc"}})
    assert only(retrain_request(began, "scratch", None, (), {})).train.init_from is None


def test_from_champion_names_its_version_so_that_the_run_is_the_same_whoever_is_champion_later():
    config = only(retrain_request(champion(), "champion", None, (), {"train": {"steps": 5}}))
    assert (config.train.init_from, config.train.steps) == ("models:/birds/3", 5)


def test_values_are_laid_over_the_champions_config_and_another_budget_replaces_its_own():
    config = only(retrain_request(champion(), "scratch", None, (), {"train": {"epochs": 2.0}}))
    assert (config.train.steps, config.train.epochs) == (None, 2.0)


def test_other_networks_and_presets_can_be_asked_for():
    experiment = retrain_request(champion(), "scratch", None, ("alexnet", "resnet50"), {})
    assert [variant.name for variant in experiment.variants] == ["alexnet", "resnet50"]
    assert experiment.variant("resnet50").architecture.width == 0.3
    preset = only(retrain_request(champion(), "scratch", "modern", (), {}))
    assert (preset.preset, preset.architecture.name, preset.architecture.width) == ("modern", "alexnet", 1.0)


@pytest.mark.parametrize(
    ("start", "names", "patch", "message"),
    [
        ("champion", ("resnet50",), {}, "starts from the weights of alexnet, not of resnet50"),
        ("scratch", ("resnet",), {}, "did you mean 'resnet50'"),
        ("scratch", (), {"gate": {"tolerence": 1}}, "did you mean 'tolerance'"),
        ("scratch", (), {"gate": {"margin": 2}}, "gate.margin"),
    ],
)
def test_bad_input_is_named(start, names, patch, message):
    with pytest.raises(UserError, match=message):
        retrain_request(champion(), start, None, names, patch)


def test_a_run_is_another_once_data_or_champion_are():
    request = {"data": "/clips", "model": "birds"}
    names = {
        run_id("retrain", {**request, "listing": listing, "champion": version})
        for listing in ("monday", "next monday")
        for version in (1, 2)
    }
    assert len(names) == 4
    assert all(name.startswith("retrain-") for name in names)
