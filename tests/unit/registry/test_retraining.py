"""What a champion's retraining trains: its own network and config, with what was asked laid over them."""

from pathlib import Path

import pytest

from earmark.config import make_config
from earmark.errors import UserError
from earmark.registry import Asked, Package, check_asked, plan_retraining


def champion(patch=None):
    config = make_config("quick", patch or {"architecture": {"name": "alexnet", "width": 0.3}, "train": {"steps": 77}})
    return Package(Path(), {"config": config.model_dump(mode="json")}, "birds", 3)


def only(experiment):
    [variant] = experiment.variants
    return experiment.variant(variant.name)


def test_by_default_the_champions_own_network_and_config_are_trained_from_fresh_weights():
    config = only(plan_retraining(champion(), Asked()))
    assert config.architecture.name == "alexnet"
    assert (config.architecture.width, config.train.steps, config.train.init_from) == (0.3, 77, None)


def test_another_champion_gives_another_plan_for_the_same_request():
    asked = Asked(patch={"train": {"steps": 5}})
    later = champion({"architecture": {"name": "resnet50", "width": 0.5}})
    configs = [only(plan_retraining(each, asked)) for each in (champion(), later)]
    assert [(c.architecture.name, c.architecture.width, c.train.steps) for c in configs] == [
        ("alexnet", 0.3, 5),
        ("resnet50", 0.5, 5),
    ]


def test_what_the_champion_itself_began_with_is_not_repeated():
    began = champion({"architecture": {"name": "alexnet"}, "train": {"init_from": "initial/abc"}})
    assert only(plan_retraining(began, Asked())).train.init_from is None


def test_from_champion_names_its_version_so_that_the_run_is_the_same_whoever_is_champion_later():
    config = only(plan_retraining(champion(), Asked(start="champion", patch={"train": {"steps": 5}})))
    assert (config.train.init_from, config.train.steps) == ("models:/birds/3", 5)


def test_values_are_laid_over_the_champions_config_and_another_budget_replaces_its_own():
    config = only(plan_retraining(champion(), Asked(patch={"train": {"epochs": 2.0}})))
    assert (config.train.steps, config.train.epochs) == (None, 2.0)


def test_other_networks_and_presets_can_be_asked_for():
    experiment = plan_retraining(champion(), Asked(architectures=("alexnet", "resnet50")))
    assert [variant.name for variant in experiment.variants] == ["alexnet", "resnet50"]
    assert experiment.variant("resnet50").architecture.width == 0.3
    preset = only(plan_retraining(champion(), Asked(preset="modern")))
    assert (preset.preset, preset.architecture.name, preset.architecture.width) == ("modern", "alexnet", 1.0)


def test_what_is_asked_travels_as_json():
    asked = Asked(start="champion", preset="quick", patch={"train": {"steps": 5}, "gate": {"protected": ["siren"]}})
    assert Asked.from_json(asked.to_json()) == asked


@pytest.mark.parametrize("text", ["", "[]", '{"begin":"scratch"}'])
def test_json_of_something_else_is_refused(text):
    with pytest.raises(UserError, match="no request of a retraining"):
        Asked.from_json(text)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"start": "scrach"}, "start in --from: 'scrach'; did you mean 'scratch'"),
        ({"architectures": ("resnet",)}, "did you mean 'resnet50'"),
        ({"preset": "quik"}, "did you mean 'quick'"),
        ({"preset": "paper"}, "does not say how long to train"),
        ({"patch": {"gate": {"tolerence": 1}}}, "did you mean 'tolerance'"),
        ({"patch": {"gate": {"margin": 2}}}, "gate.margin"),
    ],
)
def test_bad_input_is_named_before_the_champion_is_known_and_after(asked, message):
    with pytest.raises(UserError, match=message):
        check_asked(Asked(**asked))
    with pytest.raises(UserError, match=message):
        plan_retraining(champion(), Asked(**asked))


def test_the_weights_of_one_network_are_not_anothers():
    with pytest.raises(UserError, match="starts from the weights of alexnet, not of resnet50"):
        plan_retraining(champion(), Asked(start="champion", architectures=("resnet50",)))
