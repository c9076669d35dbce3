"""The file of schedules: what it asks for, and what is wrong with it, with its line."""

import inspect
from pathlib import Path

import pytest
import yaml

from earmark.errors import UserError
from earmark.pipelines.graphs import FUNCTIONS
from earmark.pipelines.kubeflow.schedules import PIPELINES, options_of, read_schedules
from earmark.registry import Asked

FILE = """\
schedules:
  - name: weekly
    pipeline: retrain
    cron: 0 3 * * mon
    data: s3://sounds/recordings
    options:
      from: champion
      steps: 500
      set: ["gate.protected=[siren]"]
  - name: monthly
    pipeline: compare
    cron: 0 0 4 1 * ?
    data: s3://sounds/recordings
    options:
      preset: quick
      architectures: [resnet50, alexnet]
    paused: true
    experiment: comparisons
"""


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "schedules.yaml"
        path.write_text(text)
        return read_schedules(path)

    return read


def test_a_schedule_is_asked_as_its_command_is(read):
    (weekly, monthly), zone = read(FILE)
    assert zone is None
    assert weekly.cron.text == "0 0 3 * * mon"
    assert weekly.arguments | {"asked": Asked.from_json(weekly.arguments["asked"])} == {
        "data": "s3://sounds/recordings",
        "asked": Asked(start="champion", patch={"train": {"steps": 500}, "gate": {"protected": ["siren"]}}),
        "model": "earmark",
        "force": False,
        "run": "retrain-*",
    }
    assert (weekly.paused, weekly.max_concurrency, weekly.catchup, weekly.experiment) == (False, 1, False, "earmark")
    assert monthly.arguments["variants"] == ["resnet50", "alexnet"]
    assert '"preset":"quick"' in monthly.arguments["experiment"]
    assert (monthly.paused, monthly.experiment, monthly.arguments["run"]) == (True, "comparisons", "compare-*")


def test_arguments_are_what_the_graph_takes(read):
    for wanted in read(FILE)[0]:
        assert set(wanted.arguments) == set(inspect.signature(FUNCTIONS[wanted.graph]).parameters)


def test_every_option_of_a_command_is_one_of_the_file():
    for pipeline, ask in PIPELINES.items():
        names = {name.rstrip("_") for name in inspect.signature(ask).parameters} - {"data"}
        assert set(options_of(pipeline).model_fields) == names


def test_a_config_is_looked_for_beside_the_file(read, tmp_path):
    (tmp_path / "own.yaml").write_text("train: {batch_size: 32}\n")
    [wanted] = read(FILE.partition("  - name: monthly")[0].replace("steps: 500", "config: own.yaml"))[0]
    assert Asked.from_json(wanted.arguments["asked"]).patch["train"] == {"batch_size": 32}


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("0 3 * * mon", "0 25 * * mon", 4, "schedules[0].cron: cron '0 25 * * mon': hour '25' is outside 0 to 23"),
        ("name: monthly", "name: weekly", 10, "'weekly' is the name of another in line 2: give each its own"),
        ("name: weekly", "name: Every Week", 2, "schedules[0].name"),
        ("pipeline: retrain", "pipeline: retrian", 3, "unknown pipeline 'retrian'; did you mean 'retrain'?"),
        ("    paused: true", "    pausd: true", 17, "unknown field 'pausd'; did you mean 'paused'?"),
        ("steps: 500", "stepps: 500", 8, "unknown field 'stepps'; did you mean 'steps'?"),
        ("steps: 500", "steps: many", 8, "schedules[0].options.steps"),
        ("from: champion", "from: champignon", 6, "did you mean 'champion'?"),
        ("gate.protected=[siren]", "gate.protectd=[siren]", 6, "did you mean 'protected'?"),
        ("steps: 500", "config: none.yaml", 6, "none.yaml: No such file"),
        ("preset: quick", "preset: quik", 14, "did you mean 'quick'?"),
        ("[resnet50, alexnet]", "[resnet50, alexnt]", 14, "did you mean 'alexnet'?"),
        ("data: s3://sounds/recordings", "data: recordings", 5, "is a folder of this machine: upload it"),
        ("paused: true", "max_concurrency: 11", 17, "schedules[1].max_concurrency"),
        ("    cron: 0 3 * * mon\n", "", 2, "schedules[0].cron: is missing: give it"),
        ("schedules:", "timezone: Berlin\nschedules:", 1, "'Berlin' is no time zone: write it as UTC or Europe/Berlin"),
        ("schedules:", "schedule:", 1, "schedules: is missing: give it"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(read, old, new, line, message):
    assert old in FILE
    with pytest.raises(UserError) as error:
        read(FILE.replace(old, new, 1))
    assert f"schedules.yaml, line {line}: " in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("pipeline", "options"), [("evaluate", "{model: birds}"), ("embed", "{model: birds, kind: whitened}")]
)
def test_a_model_is_not_looked_up_in_this_machines_own_registry(read, monkeypatch, pipeline, options):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    text = f"schedules:\n  - {{name: a, pipeline: {pipeline}, cron: 0 3 * * *, data: s3://a/b, options: {options}}}\n"
    with pytest.raises(UserError, match=r"line 2: .*set MLFLOW_TRACKING_URI"):
        read(text)


def test_the_example_can_be_applied():
    path = Path(__file__).parents[4] / "examples" / "schedules.yaml"
    wanted, _ = read_schedules(path)
    assert [each.name for each in wanted] == [each["name"] for each in yaml.safe_load(path.read_text())["schedules"]]
