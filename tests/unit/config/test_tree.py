"""The config tree refuses what it does not know, and presets say what they promise."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from earmark.config import (
    ARCHITECTURES,
    Config,
    Experiment,
    canonical_json,
    compare_experiment,
    make_config,
    merge,
    parse_config,
)
from earmark.config.experiment import MAX_JSON_BYTES
from earmark.errors import UserError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"train": {"stepps": 3}}, "'stepps'; did you mean 'steps'"),
        ({"trian": {}}, "'trian'; did you mean 'train'"),
        ({"train": {"steps": 0}}, "train.steps"),
        ({"train": {"learning_rate": -1.0}}, "train.learning_rate"),
        ({"train": {"batch_size": 0}}, "train.batch_size"),
        ({"train": {"schedule": "linear"}}, "train.schedule"),
        ({"train": {"learning_rate": float("nan")}}, "train.learning_rate"),
        ({"features": {"sample_rate_hz": 44100}}, "features.sample_rate_hz"),
        ({"architecture": {"width": "wide"}}, "architecture.width"),
        ({"train": 5}, "train"),
        ({"train": {"minutes": 5, "deterministic": True}}, r"train\.minutes .*give train\.steps"),
    ],
)
def test_a_wrong_value_is_refused_with_its_field(patch, message):
    with pytest.raises(UserError, match=message) as error:
        make_config("quick", patch)
    assert "\n" not in str(error.value)


def test_an_unknown_preset_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match=r"'quik'; did you mean 'quick'"):
        make_config("quik")


def test_an_unknown_architecture_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match=r"'resnet'; did you mean 'resnet50'"):
        compare_experiment(make_config("quick"), ["resnet"])


def test_an_architecture_named_twice_is_refused():
    with pytest.raises(UserError, match="twice"):
        compare_experiment(make_config("quick"), ["vgg", "vgg"])


def test_the_paper_preset_needs_steps():
    with pytest.raises(UserError, match=r"train\.steps"):
        compare_experiment(make_config("paper"))
    assert compare_experiment(make_config("paper", {"train": {"steps": 5}})).base.train.steps == 5


def test_the_paper_preset_is_the_paper():
    config = make_config("paper", {"train": {"steps": 17_000_000}})
    fully_connected = compare_experiment(config).variant("fully_connected")
    assert config.train.optimiser == "adam"
    assert config.train.batch_size == 128
    assert config.train.weight_decay == config.train.ema_share == config.train.label_smoothing == 0
    assert config.architecture.dropout == config.augment.mix_alpha == config.augment.gain_db == 0
    assert not config.augment.random_offset
    assert config.train.schedule == "late_drop"
    assert config.train.drop_at * config.train.steps == pytest.approx(13_000_000)
    assert config.features.tail == "drop"
    assert config.evaluate.hop_seconds == 0.96
    assert fully_connected.train.learning_rate == 3e-5


def test_every_field_of_the_tree_is_documented():
    for name, field in Config.model_fields.items():
        part = field.annotation
        for key, inner in getattr(part, "model_fields", {}).items():
            assert inner.description, f"{name}.{key} has no documentation"


def test_the_tree_is_frozen():
    with pytest.raises(ValidationError):
        make_config("quick").train.steps = 5


def test_an_experiment_survives_its_json_unchanged_ints_and_all():
    experiment = compare_experiment(make_config("quick"))
    again = Experiment.from_json(experiment.to_json())
    assert again == experiment
    assert again.to_json() == experiment.to_json()
    assert isinstance(json.loads(experiment.to_json())["base"]["train"]["steps"], int)
    assert [v.name for v in again.variants] == list(ARCHITECTURES)
    assert again.variant("vgg").architecture.name == "vgg"


def test_an_experiment_too_large_for_a_pipeline_parameter_is_refused():
    options = {f"option{i}": "x" * 100 for i in range(MAX_JSON_BYTES // 100)}
    with pytest.raises(UserError, match="bytes"):
        compare_experiment(make_config("quick", {"architecture": {"options": options}})).to_json()


@given(st.dictionaries(st.text(max_size=3), JSON), st.dictionaries(st.text(max_size=3), JSON))
def test_merging_twice_changes_nothing_more(base, patch):
    once = merge(base, patch)
    assert merge(once, patch) == once
    assert merge(base, {}) == base


@given(JSON)
def test_canonical_json_reads_back(value):
    assert json.loads(canonical_json(value)) == value


def test_an_option_may_be_an_int_a_bool_or_a_string():
    options = {"depth": 4, "flag": True, "stem": "pool_first"}
    config = parse_config({"architecture": {"options": options}})
    again = parse_config(json.loads(canonical_json(config.model_dump())))
    assert {name: type(value) for name, value in again.architecture.options.items()} == {
        "depth": int,
        "flag": bool,
        "stem": str,
    }
