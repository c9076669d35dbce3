"""The command's root, and the options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from earmark import __version__

app = typer.Typer(
    name="earmark",
    help="Train, compare and register audio taggers on your own sounds; tag with them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
run_app = typer.Typer(help="Run a pipeline on this machine.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(run_app, name="run")

Work = Annotated[str, typer.Option(help="Folder for results, MLflow's data and reports.", envvar="EARMARK_WORK")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output instead of a table.")]
Data = Annotated[
    str,
    typer.Option(
        help="A folder a label, a CSV (columns file, label, …) or JSON lines beside the sounds, or a published data "
        "set (earmark data forms)."
    ),
]
ConfigFile = Annotated[Path | None, typer.Option(help="YAML file laid over the preset.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", help="One value, as in --set train.batch_size=32; can be repeated.")
]
Processes = Annotated[
    int | None, typer.Option(help="Processes that train a network together. [default: one a GPU]", min=1)
]
Seed = Annotated[int | None, typer.Option(help="Everything random is a function of this number.")]


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def patch_of(file: Path | None, assignments: list[str], train: dict[str, Any], seed: int | None) -> dict[str, Any]:
    """The values that the command line lays over the preset: file, then --set, then the options of their own."""
    from earmark.config import merge
    from earmark.pipelines.settings import assignment, read_yaml

    patch: dict[str, Any] = read_yaml(file) if file else {}
    for text in assignments:
        patch = merge(patch, assignment(text))
    given = {name: value for name, value in train.items() if value is not None}
    if given:
        patch = merge(patch, {"train": given})
    return patch if seed is None else merge(patch, {"seed": seed})
