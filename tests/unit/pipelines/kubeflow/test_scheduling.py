"""``earmark schedule`` as it is typed: all is checked before anything is written, the difference shown and asked."""

import json

import pytest
from recurring_api import RecurringApi
from typer.testing import CliRunner

from earmark.errors import EarmarkError, UserError
from earmark.pipelines.cli import app
from earmark.pipelines.cluster import Cluster
from earmark.pipelines.kubeflow import scheduling
from earmark.pipelines.kubeflow.kube import Unseen
from earmark.pipelines.kubeflow.scheduling import server_zone

FILE = """\
schedules:
  - {name: weekly, pipeline: retrain, cron: 0 3 * * mon, data: s3://sounds/recordings, options: {steps: 500}}
  - {name: nightly, pipeline: retrain, cron: 0 2 * * *, data: s3://sounds/nights, paused: true}
"""


@pytest.fixture
def zone_of(monkeypatch):
    """What the cluster's ConfigMap says."""

    def zone_of(found):
        def get(self, path):
            assert path == "/api/v1/namespaces/kubeflow/configmaps/pipeline-install-config"
            if found is None:
                raise Unseen("no right")
            return {"data": {"cronScheduleTimezone": found}}

        monkeypatch.setattr(scheduling, "open_kube", lambda: type("Kube", (), {"get": get})())

    return zone_of


@pytest.fixture
def api(monkeypatch, zone_of):
    api = RecurringApi()
    zone_of(None)
    monkeypatch.setenv("KFP_ENDPOINT", api.endpoint)
    monkeypatch.delenv("EARMARK_CLUSTER", raising=False)
    yield api
    api.close()


@pytest.fixture
def schedule(api, tmp_path):
    """Runs `earmark schedule` on a file; what it printed."""

    def schedule(*command, file=FILE, answer=None):
        path = tmp_path / "schedules.yaml"
        path.write_text(file)
        named = [str(path) if word == "FILE" else word for word in command]
        result = CliRunner().invoke(app, ["schedule", *named], input=answer)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout

    return schedule


def test_a_file_is_applied_once_listed_and_refreshed_when_the_graph_changes(api, schedule, tmp_path):
    told = schedule("apply", "FILE", "--yes")
    assert "2 schedules in" in told
    assert "times in UTC (assumed: the cluster's is not to be seen from here)" in told
    assert "+ create: weekly\n    graph: earmark-retrain-" in told
    assert 'asked: {"architectures":[],"patch":{"train":{"steps":500}}' in told
    assert told.count("fires Mon ") == 1
    assert told.count("paused; would fire ") == 1
    assert [run["mode"] for run in api.objects["recurringruns"]] == ["ENABLE", "DISABLE"]
    [run, _] = api.objects["recurringruns"]
    assert run["service_account"] == "earmark-runner"
    assert run["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * mon"}}

    api.objects["runs"].append(
        {
            "run_id": "r-1",
            "display_name": "weekly-1",
            "recurring_run_id": run["recurring_run_id"],
            "state": "SUCCEEDED",
            "created_at": "2026-11-23T03:00:04Z",
        }
    )
    listed = json.loads(schedule("list", "--json"))
    assert [(each["name"], each["ours"], each["paused"]) for each in listed["schedules"]] == [
        ("weekly", True, False),
        ("nightly", True, True),
    ]
    assert listed["schedules"][0]["last_run"]["state"] == "SUCCEEDED"
    assert listed["schedules"][0]["next"] is not None
    assert "Mon 2026-11-23 03:00:04 │ SUCCEEDED" in schedule("list")

    replaced = {**run, "recurring_run_id": "old-1", "mode": "DISABLE", "created_at": "2026-11-01T00:00:00Z"}
    api.objects["recurringruns"].append(replaced)
    states = [line.split("│")[1:3] for line in schedule("list").splitlines() if "│" in line]
    assert [(name.strip(), state.strip()) for name, state in states] == [
        ("weekly", "replaced"),
        ("weekly", "fires"),
        ("nightly", "paused"),
    ]
    api.objects["recurringruns"].remove(replaced)

    api.writes.clear()
    assert schedule("apply", "FILE").endswith("nothing to change\n")
    assert api.writes == []

    cluster = tmp_path / "cluster.yaml"
    cluster.write_text("profiles: {train: {memory: 9Gi}}\n")
    told = schedule("apply", "FILE", "--yes", "--cluster", str(cluster))
    assert told.count("~ replace: ") == 2
    assert told.count("    graph: earmark-retrain-") == 2


@pytest.mark.parametrize(
    "file",
    [
        FILE.replace("0 2 * * *", "0 24 * * *"),
        FILE.replace("nightly", "weekly"),
        FILE.replace("pipeline: retrain", "pipeline: retraining", 1),
        FILE.replace("steps", "stps"),
        FILE.replace("paused", "pausing"),
    ],
)
def test_nothing_is_written_when_anything_is_wrong_with_the_file(api, schedule, file):
    with pytest.raises(UserError, match=r"schedules\.yaml, line [23]: "):
        schedule("apply", "FILE", "--yes", file=file)
    assert api.writes == []


def test_nothing_is_written_where_the_cluster_is_wrong_or_does_not_answer(api, schedule, tmp_path, monkeypatch):
    cluster = tmp_path / "cluster.yaml"
    cluster.write_text("profiles: {train: {gpu: 1}}\n")
    with pytest.raises(UserError, match=r"cluster\.yaml, line 1: .*did you mean 'gpus'"):
        schedule("apply", "FILE", "--yes", "--cluster", str(cluster))
    monkeypatch.setenv("KFP_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(EarmarkError, match="does not answer"):
        schedule("apply", "FILE", "--yes")
    assert api.writes == []


def test_nothing_is_written_without_consent(api, schedule):
    with pytest.raises(UserError, match="give --yes"):
        schedule("apply", "FILE")
    assert api.writes == []


@pytest.mark.parametrize(
    ("found", "named", "zone", "why"),
    [
        ("Europe/Berlin", None, "Europe/Berlin", "the cluster's"),
        ("Europe/Berlin", "Europe/Berlin", "Europe/Berlin", "the cluster's"),
        (None, "Europe/Berlin", "Europe/Berlin", "as the file says"),
        (None, None, "UTC", "assumed"),
    ],
)
def test_the_time_zone_is_the_clusters_where_it_can_be_read(zone_of, found, named, zone, why):
    zone_of(found)
    known, told = server_zone(Cluster(), named)
    assert known.key == zone
    assert told.startswith(why)


def test_a_file_of_another_time_zone_is_refused(zone_of):
    zone_of("Europe/Berlin")
    with pytest.raises(UserError, match="the file says UTC and Kubeflow reads cron in Europe/Berlin"):
        server_zone(Cluster(), "UTC")
