"""Commands for recurring runs on a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.pipelines.cli.app import Json, app

schedule_app = typer.Typer(
    help="Recurring runs on a cluster, from a file.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(schedule_app, name="schedule")

ClusterFile = Annotated[
    Path | None, typer.Option("--cluster", help="YAML file of the cluster. [default: EARMARK_CLUSTER]")
]


@schedule_app.command("apply")
def apply(
    file: Annotated[Path, typer.Argument(help="YAML file with every schedule there is to be.")],
    cluster: ClusterFile = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete Earmark's schedules that the file does not have.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Make the changes without asking.")] = False,
) -> None:
    """Bring the schedules of a file to the cluster that KFP_ENDPOINT names; what is there already is not touched.

    For example: earmark schedule apply examples/schedules.yaml
    """
    from earmark.pipelines.kubeflow.scheduling import apply_schedules

    apply_schedules(file, cluster, prune=prune, yes=yes)


@schedule_app.command("list")
def show(cluster: ClusterFile = None, json: Json = False) -> None:
    """List the recurring runs of the cluster that KFP_ENDPOINT names, with their next firing and last run."""
    from earmark.pipelines.kubeflow.scheduling import show_schedules

    show_schedules(cluster, json)
