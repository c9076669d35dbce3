"""Values from YAML and from the command line."""

import pytest

from earmark.errors import UserError
from earmark.pipelines.settings import assignment, read_yaml


@pytest.mark.parametrize(
    ("text", "nested"),
    [
        ("train.steps=600", {"train": {"steps": 600}}),
        ("train.learning_rate=1.0e-3", {"train": {"learning_rate": 1e-3}}),
        ("data.test_folds=['1', '2']", {"data": {"test_folds": ["1", "2"]}}),
        ("architecture.options={stem: pool_first}", {"architecture": {"options": {"stem": "pool_first"}}}),
        ("seed=7", {"seed": 7}),
        ("train.precision=fp32", {"train": {"precision": "fp32"}}),
    ],
)
def test_an_assignment_names_a_field_and_a_value(text, nested):
    assert assignment(text) == nested


@pytest.mark.parametrize("text", ["steps", "=5", " =5"])
def test_what_is_no_assignment_is_refused_with_an_example(text):
    with pytest.raises(UserError, match=r"--set train\.steps=600"):
        assignment(text)


def test_yaml_is_read(tmp_path):
    (tmp_path / "a.yaml").write_text("train:\n  steps: 5\n")
    assert read_yaml(tmp_path / "a.yaml") == {"train": {"steps": 5}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: [", "line 1: this is not YAML"),
        ("- a", "keys and values"),
        ("a: !!python/object/apply:os.system [true]", "not YAML"),
    ],
)
def test_what_is_not_a_config_is_refused(tmp_path, text, message):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        read_yaml(tmp_path / "a.yaml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: No such file"):
        read_yaml(tmp_path / "none.yaml")
