"""How long to train, and a checkpoint to go on from, as the command line gives them."""

import pytest
from typer.testing import CliRunner

from earmark.config import Experiment, compare_experiment, make_config
from earmark.errors import UserError
from earmark.evaluation.repeat import command
from earmark.pipelines import cli, commands


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Runs `earmark run compare` up to where the run would begin; the experiment that was asked for."""
    found = []
    monkeypatch.setattr(
        commands, "run_request", lambda request, *_: found.append(Experiment.from_json(request.arguments["experiment"]))
    )

    def run(*options):
        command = ["run", "compare", "--data", "d", "--preset", "quick", "--work", str(tmp_path / "work"), *options]
        result = CliRunner().invoke(cli.app, command)
        if result.exception:
            raise result.exception
        return found.pop()

    return run


@pytest.mark.parametrize(("option", "field", "value"), [("--epochs", "epochs", 40), ("--minutes", "minutes", 5)])
def test_another_budget_replaces_the_presets_and_is_repeated_by_the_reports_command(asked, option, field, value):
    experiment = asked(option, str(value), "--architectures", "alexnet")
    for config in (experiment.base, experiment.variant("alexnet")):
        assert getattr(config.train, field) == value
        assert config.train.steps is None
    words = command("d", experiment).split()
    assert float(words[words.index(option) + 1]) == value
    assert "--steps" not in words
    assert "null" not in words


def test_an_option_replaces_the_budget_of_a_file_and_of_set(asked, tmp_path):
    (tmp_path / "a.yaml").write_text("train: {epochs: 3}")
    train = asked("--config", str(tmp_path / "a.yaml"), "--set", "train.minutes=4", "--steps", "6").base.train
    assert (train.steps, train.epochs, train.minutes) == (6, None, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--steps", "5", "--epochs", "2"), r"train\.steps and train\.epochs are both given: give one"),
        (("--steps", "0"), r"train\.steps: .*greater than or equal to 1"),
        (("--epochs", "0"), r"train\.epochs: .*greater than 0"),
        (("--minutes", "-1"), r"train\.minutes: .*greater than 0"),
        (("--resume-from", "step-1"), r"train\.resume_from is the checkpoint of one network .*--architectures"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(asked, options, message):
    with pytest.raises(UserError, match=message):
        asked(*options)


def test_a_checkpoint_to_go_on_from_is_named_wherever_the_steps_run(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = ("--architectures", "alexnet")
    assert asked("--resume-from", "c/step-1", *one).base.train.resume_from == str(tmp_path / "c/step-1")
    assert asked("--resume-from", "s3://b/step-1", *one).base.train.resume_from == "s3://b/step-1"


def test_a_preset_without_steps_is_satisfied_by_any_budget():
    with pytest.raises(UserError, match=r"give train\.steps, train\.epochs or train\.minutes"):
        compare_experiment(make_config("paper"))
    for budget in ({"steps": 5}, {"epochs": 2}, {"minutes": 3}):
        assert compare_experiment(make_config("paper", {"train": budget})).base.train.has_budget
