"""``earmark schedule``: a file's schedules brought to the back end, and what is there shown."""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import typer

from earmark.errors import UserError
from earmark.pipelines.cluster import Cluster, read_cluster
from earmark.pipelines.graphs import compile_graph
from earmark.pipelines.kubeflow.client import connect, experiment_id, pinned_version, version_name
from earmark.pipelines.kubeflow.cron import Cron, firings, parse_cron
from earmark.pipelines.kubeflow.kube import Unseen, open_kube
from earmark.pipelines.kubeflow.reconcile import Change, Goal, Kind, carry_out, compare
from earmark.pipelines.kubeflow.recurring import Facts, Pinned, Recurring, list_recurring
from earmark.pipelines.kubeflow.schedules import Wanted, read_schedules
from earmark.pipelines.terminal import counted, print_json, print_table

INSTALLED = "/api/v1/namespaces/{}/configmaps/pipeline-install-config"
MARKS: Mapping[Kind, str] = {
    "create": "+ create",
    "replace": "~ replace",
    "resume": "> resume",
    "pause": "| pause",
    "unchanged": "= unchanged",
    "prune": "- delete",
    "extra": "? not in the file (--prune deletes it)",
    "foreign": "? not ours, left alone",
}
COLUMNS = ("schedule", "state", "cron", "next", "pipeline", "experiment", "last run", "ended")


def apply_schedules(file: Path, cluster_file: Path | None, *, prune: bool, yes: bool) -> None:
    """``earmark schedule apply``: everything checked, the difference shown, asked, done.

    Raises:
        UserError: something is wrong with the file, a request, the cluster or the endpoint; nothing was written.
    """
    cluster = read_cluster(cluster_file)
    wanted, named = read_schedules(file)
    with tempfile.TemporaryDirectory(prefix="earmark-") as folder:
        packages = {graph: Path(folder) / f"{graph}.yaml" for graph in dict.fromkeys(each.graph for each in wanted)}
        for graph, package in packages.items():
            compile_graph(graph, cluster, package)
        kubeflow = connect(cluster)
        zone, why = server_zone(cluster, named)
        goals = [_goal(each, packages[each.graph], cluster) for each in wanted]
        changes = compare(goals, list_recurring(kubeflow), prune=prune)
        print(f"{kubeflow.endpoint}: {counted(len(wanted), 'schedule')} in {file}; times in {zone.key} ({why})")
        _show(changes, {each.name: each.cron for each in wanted}, zone)
        if not any(change.writes for change in changes):
            print("nothing to change")
            return
        _agree(yes)
        graphs = {goal.facts.graph: each.graph for goal, each in zip(goals, wanted, strict=True)}

        def pin(facts: Facts) -> Pinned:
            graph = graphs[facts.graph]
            return Pinned(
                *pinned_version(kubeflow, graph, packages[graph]), experiment_id(kubeflow, facts.kubeflow_experiment)
            )

        for change in changes:
            if change.writes:
                carry_out(kubeflow, change, pin)
                print(f"done: {MARKS[change.kind][2:]} {change.name}")


def show_schedules(cluster_file: Path | None, json: bool) -> None:
    """``earmark schedule list``."""
    cluster = read_cluster(cluster_file)
    kubeflow = connect(cluster)
    zone, why = server_zone(cluster, None)
    told = [_told(each, zone) for each in list_recurring(kubeflow)]
    if json:
        print_json({"timezone": zone.key, "timezone_from": why, "schedules": told})
        return
    newest = {each["name"]: each["id"] for each in told if each["ours"]}
    rows = [
        [
            each["name"] if each["ours"] else f"{each['name']} (not ours)",
            _state(each, newest),
            each["cron"],
            _moment(datetime.fromisoformat(each["next"])) if each["next"] else "–",
            each["graph"].removeprefix("earmark-").rpartition("-")[0],
            each["kubeflow_experiment"],
            _moment(datetime.fromisoformat(each["last_run"]["created"])) if each["last_run"] else "–",
            each["last_run"]["state"] if each["last_run"] else "–",
        ]
        for each in told
    ]
    print_table(f"{counted(len(rows), 'schedule')}; times in {zone.key} ({why})", COLUMNS, rows, left=8)


def server_zone(cluster: Cluster, named: str | None) -> tuple[ZoneInfo, str]:
    """The time zone that the back end reads cron fields in, and how that is known.

    Raises:
        UserError: the file names another one than the back end has.
    """
    try:
        found = open_kube().get(INSTALLED.format(cluster.namespace)).get("data", {}).get("cronScheduleTimezone")
    except Unseen:
        found = None
    if found is None:
        return ZoneInfo(
            named or "UTC"
        ), "as the file says" if named else "assumed: the cluster's is not to be seen from here"
    if named is not None and named != found:
        raise UserError(
            f"timezone: the file says {named} and Kubeflow reads cron in {found} (cronScheduleTimezone in ConfigMap "
            "pipeline-install-config): leave timezone out, or change it there"
        )
    return ZoneInfo(found), "the cluster's"


def _goal(wanted: Wanted, package: Path, cluster: Cluster) -> Goal:
    facts = Facts(
        graph=version_name(wanted.graph, package),
        cron=wanted.cron.text,
        arguments=wanted.arguments,
        max_concurrency=wanted.max_concurrency,
        catchup=wanted.catchup,
        kubeflow_experiment=wanted.experiment,
        service_account=cluster.service_account,
    )
    return Goal(wanted.name, facts, wanted.paused)


def _show(changes: Sequence[Change], crons: Mapping[str, Cron], zone: ZoneInfo) -> None:
    for change in changes:
        print(f"{MARKS[change.kind]}: {change.name}")
        for line in change.told:
            print(f"    {line}")
        if change.goal is not None:
            print(f"    {'paused; would fire' if change.goal.paused else 'fires'} {_next(crons[change.name], zone)}")


def _next(cron: Cron, zone: ZoneInfo) -> str:
    return ", ".join(_moment(each) for each in itertools.islice(firings(cron, datetime.now(UTC), zone), 3))


def _moment(moment: datetime) -> str:
    """``Mon 2026-11-30 03:00``, the seconds where there are any."""
    return moment.strftime("%a %Y-%m-%d %H:%M:%S").removesuffix(":00")


def _agree(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError("there is nobody to ask here: look at the changes above, then give --yes")
    if not typer.confirm("make these changes?"):
        print("nothing was changed")
        raise typer.Exit(1)


def _state(told: Mapping[str, Any], newest: Mapping[str, str]) -> str:
    """One that was replaced stays until its run has ended."""
    if told["ours"] and newest[told["name"]] != told["id"]:
        return "replaced"
    return "paused" if told["paused"] else "fires"


def _told(run: Recurring, zone: ZoneInfo) -> dict[str, Any]:
    coming = next(_firings(run, zone), None)
    last = run.last
    return {
        "name": run.schedule or run.title,
        "ours": run.schedule is not None,
        "id": run.id,
        "paused": run.paused,
        "next": coming.isoformat() if coming else None,
        "created": run.created.isoformat(),
        "last_run": {**vars(last), "created": last.created.astimezone(zone).isoformat()} if last else None,
        **vars(run.facts),
    }


def _firings(run: Recurring, zone: ZoneInfo) -> Iterator[datetime]:
    """None where it is paused or where what others made fires by other rules."""
    if run.paused:
        return
    try:
        cron = parse_cron(run.facts.cron)
    except UserError:
        return
    yield from firings(cron, datetime.now(UTC), zone)
