"""Commands that keep things in order: what is wrong here."""

from __future__ import annotations

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
