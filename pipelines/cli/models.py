"""Commands about registered models."""

from __future__ import annotations

from earmark.pipelines.cli.app import Json, Work, app


@app.command()
def models(work: Work = "work", json: Json = False) -> None:
    """List the registered models and their versions."""
    from earmark.pipelines.commands import show_models

    show_models(work, json)
