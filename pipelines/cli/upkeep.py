"""Commands that keep things in order: what is wrong here, and what can be removed."""

from __future__ import annotations

from typing import Annotated

import typer

from earmark.pipelines.cli.app import Json, Work, app


@app.command()
def check(work: Work = "work", json: Json = False) -> None:
    """Try what a run needs: store, MLflow, versions, disk, GPUs; name what is wrong, with the remedy, in seconds.

    It reads the same environment as a run (EARMARK_STORE, MLFLOW_TRACKING_URI and their keys), writes one object of its
    own and deletes it. Ends with 0 if all is well, 2 if something is wrong that you can mend, else 1.

    For example: EARMARK_STORE=s3://sounds/earmark earmark check
    """
    from earmark.pipelines.checking import show_check

    code = show_check(work, json)
    if code:
        raise typer.Exit(code)


@app.command()
def gc(
    older_than_days: Annotated[
        int,
        typer.Option(help="Grace time: nothing younger is removed, nor anything of a run that still writes.", min=1),
    ] = 7,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without this it is only told.")] = False,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Tell what no result, run or feature part names any more in the store, and with --yes remove it.

    That is what killed steps left, checkpoints of finished trainings, uploads and downloads that were never finished.
    What a result names stays whatever its age; so does a training that still runs.

    For example: earmark gc --older-than-days 30 --yes
    """
    from earmark.pipelines.upkeep import collect_garbage

    collect_garbage(work, older_than_days, yes, json)
