"""A file's schedules and what the back end has: created, replaced, paused, pruned, finished after an interruption."""

from dataclasses import replace

import pytest
from recurring_api import RecurringApi

from earmark.errors import EarmarkError
from earmark.pipelines.cluster import Cluster
from earmark.pipelines.kubeflow.client import connect, experiment_id, pinned_version, version_name
from earmark.pipelines.kubeflow.reconcile import Goal, carry_out, compare
from earmark.pipelines.kubeflow.recurring import Facts, Pinned, list_recurring


@pytest.fixture
def api(monkeypatch):
    api = RecurringApi()
    monkeypatch.setenv("KFP_ENDPOINT", api.endpoint)
    yield api
    api.close()


@pytest.fixture
def packages(tmp_path):
    """Two graphs; schedules pin them by digest alone."""
    paths = {}
    for content in ("graph of today", "graph of tomorrow"):
        path = tmp_path / f"{content[9:]}.yaml"
        path.write_text(content)
        paths[version_name("retrain", path)] = path
    return paths


@pytest.fixture
def goal(packages):
    facts = Facts(
        graph=next(iter(packages)),
        cron="0 0 3 * * mon",
        arguments={"data": "s3://sounds/a", "asked": '{"patch":{"train":{"steps":500}}}', "force": False, "run": "r-*"},
        max_concurrency=1,
        catchup=False,
        kubeflow_experiment="earmark",
        service_account="earmark-runner",
    )
    return Goal("weekly", facts, paused=False)


@pytest.fixture
def apply(api, packages):
    """Brings the back end to some goals; what was to be done."""

    def apply(*goals, prune=False):
        kubeflow = connect(Cluster())
        changes = compare(goals, list_recurring(kubeflow), prune=prune)

        def pin(facts):
            ids = pinned_version(kubeflow, "retrain", packages[facts.graph])
            return Pinned(*ids, experiment_id(kubeflow, facts.kubeflow_experiment))

        for change in changes:
            if change.writes:
                carry_out(kubeflow, change, pin)
        return [(change.kind, change.name) for change in changes]

    return apply


@pytest.fixture
def state(api):
    """What there is, but for ids and times."""
    return lambda: sorted(
        (run.schedule or "", run.title, run.paused, run.facts.cron, run.facts.graph, str(run.facts.arguments))
        for run in list_recurring(connect(Cluster()))
    )


def other(goal, **changed):
    return replace(goal, facts=replace(goal.facts, **changed))


def test_what_is_made_is_found_again_as_it_was_asked(api, apply, goal):
    assert apply(goal) == [("create", "weekly")]
    [found] = list_recurring(connect(Cluster()))
    assert (found.schedule, found.facts, found.paused) == ("weekly", goal.facts, False)
    [raw] = api.objects["recurringruns"]
    assert raw["no_catchup"] is True
    assert raw["max_concurrency"] == "1"
    assert [write.split()[1] for write in api.writes if "recurringruns" in write] == [
        "recurringruns",
        "recurringruns/enable",
    ]


def test_a_schedule_that_is_as_it_should_be_is_not_touched_while_another_is_replaced(api, apply, goal):
    daily = replace(other(goal, cron="0 0 4 * * *"), name="daily")
    apply(goal, daily)
    [untouched, before] = api.objects["recurringruns"]
    api.writes.clear()
    assert apply(goal, other(daily, cron="0 0 5 * * *")) == [("unchanged", "weekly"), ("replace", "daily")]
    [still, after] = api.objects["recurringruns"]
    assert still is untouched
    assert after["recurring_run_id"] != before["recurring_run_id"]
    assert api.writes == [
        "POST recurringruns",
        "POST recurringruns/disable",
        "DELETE recurringruns",
        "POST recurringruns/enable",
    ]


def test_nothing_is_written_where_all_is_as_it_should_be(api, apply, goal):
    apply(goal)
    api.writes.clear()
    assert apply(goal) == [("unchanged", "weekly")]
    assert api.writes == []


@pytest.mark.parametrize(
    "changed",
    [
        {"cron": "0 0 4 * * mon"},
        {"arguments": {"data": "s3://sounds/b"}},
        {"max_concurrency": 2},
        {"catchup": True},
        {"kubeflow_experiment": "others"},
        {"service_account": "another"},
    ],
)
def test_any_other_fact_makes_it_another(apply, goal, changed, state):
    apply(goal)
    assert apply(other(goal, **changed)) == [("replace", "weekly")]
    assert len(state()) == 1
    assert apply(other(goal, **changed)) == [("unchanged", "weekly")]


def test_a_version_of_an_older_graph_is_found_and_refreshed(apply, goal, packages):
    apply(goal)
    newer = other(goal, graph=list(packages)[1])
    assert apply(newer) == [("replace", "weekly")]
    [found] = list_recurring(connect(Cluster()))
    assert found.facts.graph == newer.facts.graph


def test_a_version_that_was_deleted_is_made_anew(api, apply, goal):
    apply(goal)
    api.objects["versions"].clear()
    assert apply(goal) == [("replace", "weekly")]
    assert apply(goal) == [("unchanged", "weekly")]


def test_differences_are_told_down_to_the_fields_of_json(apply, goal):
    apply(goal)
    arguments = dict(goal.facts.arguments, asked='{"patch":{"train":{"steps":600}}}')
    [change] = compare([other(goal, arguments=arguments)], list_recurring(connect(Cluster())), prune=False)
    assert change.told == ("asked.patch.train.steps: 500 → 600",)


def test_pausing_keeps_it_and_resuming_replaces_it_so_that_no_missed_firing_is_made_up_for(api, apply, goal):
    apply(goal)
    [made] = api.objects["recurringruns"]
    assert apply(replace(goal, paused=True)) == [("pause", "weekly")]
    assert [(run["recurring_run_id"], run["mode"]) for run in api.objects["recurringruns"]] == [
        (made["recurring_run_id"], "DISABLE")
    ]
    assert apply(goal) == [("resume", "weekly")]
    [again] = api.objects["recurringruns"]
    assert (again["mode"], again["recurring_run_id"] != made["recurring_run_id"]) == ("ENABLE", True)


def test_with_catchup_the_same_one_is_resumed(api, apply, goal):
    goal = other(goal, catchup=True)
    apply(goal)
    apply(replace(goal, paused=True))
    [paused] = api.objects["recurringruns"]
    assert apply(goal) == [("resume", "weekly")]
    assert api.objects["recurringruns"] == [paused]


def test_only_pruning_deletes_and_only_what_earmark_made(api, apply, goal, state):
    apply(goal)
    foreign = {**api.objects["recurringruns"][0], "recurring_run_id": "f-1", "description": "by hand"}
    api.objects["recurringruns"].append(foreign)
    assert apply() == [("extra", "weekly"), ("foreign", "weekly")]
    assert len(state()) == 2
    assert apply(prune=True) == [("prune", "weekly"), ("foreign", "weekly")]
    assert api.objects["recurringruns"] == [foreign]


@pytest.fixture
def start(api):
    """A run of a recurring run begins; what it gives ends it."""

    def start(recurring):
        run = {
            "run_id": "r-1",
            "display_name": "weekly-1",
            "recurring_run_id": recurring["recurring_run_id"],
            "state": "RUNNING",
            "created_at": "2026-11-28T16:30:00Z",
        }
        api.objects["runs"].append(run)
        return lambda: run.update(state="SUCCEEDED")

    return start


def test_what_deleting_would_end_is_switched_off_and_deleted_later(api, apply, goal, start):
    apply(goal)
    [old] = api.objects["recurringruns"]
    end = start(old)
    changed = other(goal, cron="0 0 4 * * mon")
    assert apply(changed) == [("replace", "weekly")]
    modes = {run["trigger"]["cron_schedule"]["cron"]: run["mode"] for run in api.objects["recurringruns"]}
    assert modes == {"0 0 3 * * mon": "DISABLE", "0 0 4 * * mon": "ENABLE"}
    api.writes.clear()
    [change] = compare([changed], list_recurring(connect(Cluster())), prune=False)
    assert (change.kind, change.told) == (
        "unchanged",
        ("its run weekly-1 goes on: only switched off; apply again after that to delete it",),
    )
    assert apply(changed) == [("unchanged", "weekly")]
    assert api.writes == []
    end()
    assert apply(changed) == [("replace", "weekly")]
    assert api.writes == ["DELETE recurringruns"]
    assert apply(changed) == [("unchanged", "weekly")]


def test_pruning_waits_for_what_goes_on(api, apply, goal, start):
    apply(goal)
    end = start(api.objects["recurringruns"][0])
    assert apply(prune=True) == [("prune", "weekly")]
    assert [run["mode"] for run in api.objects["recurringruns"]] == ["DISABLE"]
    assert apply(prune=True) == [("extra", "weekly")]
    end()
    assert apply(prune=True) == [("prune", "weekly")]
    assert api.objects["recurringruns"] == []


def test_a_run_that_begins_after_the_look_is_seen_before_anything_is_deleted(api, goal, apply, start):
    apply(goal)
    kubeflow = connect(Cluster())
    changes = compare([], list_recurring(kubeflow), prune=True)
    start(api.objects["recurringruns"][0])
    carry_out(kubeflow, changes[0], lambda facts: pytest.fail("nothing is made"))
    assert [run["mode"] for run in api.objects["recurringruns"]] == ["DISABLE"]


@pytest.mark.parametrize("performed", [False, True], ids=["the call is lost", "its answer is lost"])
def test_an_apply_that_is_interrupted_at_any_call_is_finished_by_the_next_one(api, apply, goal, state, performed):
    daily, gone = replace(goal, name="daily"), replace(goal, name="gone")
    before = [goal, daily, gone]
    after = [other(goal, cron="0 0 4 * * mon"), replace(daily, paused=True), replace(goal, name="new")]
    apply(*before)
    api.writes.clear()
    apply(*after, prune=True)
    wanted, calls = state(), len(api.writes)
    assert calls >= 7
    for call in range(1, calls + 1):
        for runs in api.objects.values():
            runs.clear()
        apply(*before)
        api.interrupt(call, performed=performed)
        with pytest.raises(EarmarkError):
            apply(*after, prune=True)
        api.interrupt(None, performed=False)
        while_down = [run["mode"] for run in api.objects["recurringruns"] if run["display_name"] == "weekly"]
        assert while_down.count("ENABLE") <= 1
        apply(*after, prune=True)
        assert state() == wanted, call
        assert {kind for kind, _ in apply(*after)} == {"unchanged"}
