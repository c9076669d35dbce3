"""A run's first step against real servers: all well, and each thing that would have cost hours, with its remedy."""

import json

import pytest

from earmark.components.preflight import preflight
from earmark.config import compare_experiment, make_config
from earmark.store import open_store
from earmark.store.causes import causes_of
from earmark.store.runs import read_run

SECRET = "a-secret-nobody-should-read"
DATA = "s3://sounds/flown"
EXPERIMENT = compare_experiment(make_config("quick")).to_json()


@pytest.fixture
def fly(seaweedfs, mlflow_stack, monkeypatch, capsys):
    """Run the step as `features` in a changed environment; its exit code and events."""
    client = seaweedfs.client()
    if not list(client.list_objects("sounds", "flown/")):
        import io

        client.put_object("sounds", "flown/cat/1.wav", io.BytesIO(b"RIFF"), 4)
    run = "compare-flown"

    def once(data=DATA, identity="features", **changed):
        with monkeypatch.context() as patch:
            environment = {**seaweedfs.environment(identity), "EARMARK_STORE": "s3://earmark/flown"}
            for name, value in {**environment, "EARMARK_PROGRESS": "json", **changed}.items():
                patch.setenv(name, value)
            patch.setenv("EARMARK_S3_DEADLINE", "5")
            code = 0
            try:
                preflight.python_func("compare", data, EXPERIMENT, "birds", run)
            except SystemExit as end:
                code = int(end.code)
        told = capsys.readouterr()
        assert SECRET not in told.out + told.err
        return code, [json.loads(line) for line in told.out.splitlines()]

    def store():
        for name, value in seaweedfs.environment().items():
            monkeypatch.setenv(name, value)
        return open_store("s3://earmark/flown")

    once.store, once.run = store, run
    return once


def error(events):
    [told] = [event for event in events if event["earmark"] == "error"]
    return told["message"]


def test_a_run_that_has_all_it_needs_is_recorded_and_leaves_no_probe(fly):
    code, events = fly()
    assert code == 0, events
    assert [event["earmark"] for event in events if event["earmark"] != "note"] == ["started"]
    store = fly.store()
    found = read_run(store, fly.run)
    assert (found.pipeline, found.data, found.model, found.preset) == ("compare", DATA, "birds", "quick")
    assert len(found.variants) == 5
    left = {info.key for info in store.list("runs/") if not info.key.startswith(f"runs/{fly.run}/")}
    assert left == set()


@pytest.mark.parametrize(
    ("changed", "said", "wanted"),
    [
        ({"AWS_SECRET_ACCESS_KEY": SECRET}, "refuses the key features-access", 2),
        ({"EARMARK_STORE": "s3://absent-bucket/x", "identity": "admin"}, "make it, or correct its name", 2),
        ({"EARMARK_STORE": "s3://absent-bucket/x"}, "a bucket that is not there is refused in the same way", 2),
        ({"identity": "mlflow"}, "has no right to this", 2),
        ({"EARMARK_S3_ENDPOINT": "http://127.0.0.1:9"}, "start it, or correct EARMARK_S3_ENDPOINT", 1),
        ({"data": "s3://sounds/nothing"}, "put the clips in one folder a label, or beside a CSV", 2),
        ({"data": "s3://sounds/flown/clips.csv"}, "give the path of the CSV, or of a folder of audio", 2),
        ({"data": "s3://absent-sounds/x", "identity": "admin"}, "correct its name (EARMARK_STORE, --data)", 2),
        ({"data": "/nowhere"}, "check the path given by --data", 2),
        ({"data": "s3://mlflow/1"}, "s3://mlflow/1: the key features-access has no right to this", 2),
    ],
)
def test_what_is_wrong_is_one_error_with_its_remedy(changed, said, wanted, fly):
    code, events = fly(**changed)
    assert said in error(events)
    assert code == wanted


def test_the_cause_stays_under_the_run_until_the_step_succeeds(fly):
    assert fly(data="s3://sounds/nothing")[0] == 2
    [cause] = causes_of(fly.store(), fly.run)
    assert (cause.step, cause.exit_code) == ("preflight", 2)
    assert fly()[0] == 0
    assert causes_of(fly.store(), fly.run) == []


def test_an_mlflow_that_refuses_the_host_name_is_an_error(fly, mlflow_stack):
    address = mlflow_stack.uri.replace("127.0.0.1", "127.1")
    code, events = fly(MLFLOW_TRACKING_URI=address)
    assert f"--allowed-hosts {address.removeprefix('http://')}" in error(events)
    assert code == 2


def test_an_mlflow_that_is_away_is_told_and_stops_nothing(fly):
    code, events = fly(MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert code == 0
    assert "until it answers, figures wait for it" in str(events)
