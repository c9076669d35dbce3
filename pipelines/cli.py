"""The command ``earmark``. Each command imports what it needs when it runs: ``--help`` answers at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from earmark import __version__
from earmark.errors import EarmarkError

app = typer.Typer(
    name="earmark",
    help="Train, compare and register audio taggers on your own sounds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
run_app = typer.Typer(help="Run a pipeline on this machine.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(run_app, name="run")

Work = Annotated[str, typer.Option(help="Folder for results, MLflow's data and reports.", envvar="EARMARK_WORK")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output instead of a table.")]


@run_app.command()
def compare(
    data: Annotated[
        str, typer.Option(help="Folder with one folder per label, or with a CSV (columns file, label, …); or the CSV.")
    ],
    preset: Annotated[
        str,
        typer.Option(help="modern (best known), quick (modern in small: minutes on a laptop) or paper (as published)."),
    ] = "modern",
    architectures: Annotated[str, typer.Option(help="Networks to compare, comma-separated. [default: all five]")] = "",
    steps: Annotated[int | None, typer.Option(help="Optimiser steps of each network.")] = None,
    epochs: Annotated[float | None, typer.Option(help="In place of --steps: times that each patch is seen.")] = None,
    minutes: Annotated[float | None, typer.Option(help="In place of --steps: minutes of training a network.")] = None,
    resume_from: Annotated[
        str | None,
        typer.Option(help="Folder of a checkpoint to go on from, of the same config and data; one network."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Everything random is a function of this number.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file laid over the preset.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One value, as in --set train.batch_size=32; can be repeated.")
    ] = None,
    folds: Annotated[
        str | None,
        typer.Option(
            help="Cross-validate, registering nothing: all, names of folds (1,2), or how many to make where the data "
            "names none (5)."
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(help="Repeat with this many seeds (3), or with these (3,4); pooled, registering nothing."),
    ] = None,
    model: Annotated[str, typer.Option(help="Name of the registered model.")] = "earmark",
    processes: Annotated[
        int | None,
        typer.Option(help="Processes that train a network together. [default: one a GPU]", min=1),
    ] = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Train and compare networks on one dataset; report, and register the best.

    The same command again goes on where the last one stopped; finished steps are not repeated.

    For example: earmark run compare --data examples/esc10 --architectures resnet50,alexnet --steps 100
    """
    from earmark.pipelines.commands import run_compare, run_crossval

    budget = {"steps": steps, "epochs": epochs, "minutes": minutes}
    local = resume_from is not None and "://" not in resume_from
    resume = str(Path(str(resume_from)).expanduser().absolute()) if local else resume_from
    patch = _patch(config, set_ or [], {**budget, "resume_from": resume}, seed)
    names = [name.strip() for name in architectures.split(",") if name.strip()]
    if folds is not None or seeds is not None:
        run_crossval(data, preset, names, patch, folds, seeds, work, json, processes)
    else:
        run_compare(data, preset, names, patch, model, work, json, processes)


@app.command()
def lr_range(
    data: Annotated[str, typer.Option(help="Folder or CSV, as of `earmark run compare`.")],
    architecture: Annotated[str, typer.Option(help="The network to try.")] = "resnet50",
    preset: Annotated[str, typer.Option(help="modern, quick or paper.")] = "modern",
    seed: Annotated[int | None, typer.Option(help="Everything random is a function of this number.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file laid over the preset.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="One value, as in --set train.batch_size=32.")] = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Find a learning rate: 100 steps on a fresh network while the rate rises from 1e-6 to 1; a table and a plot.

    For example: earmark lr-range --data examples/esc10 --preset quick
    """
    from earmark.pipelines.lr_range import show_lr_range

    show_lr_range(data, preset, architecture, _patch(config, set_ or [], {}, seed), work, json)


@app.command()
def report(
    run: Annotated[str, typer.Argument(help="A run's id, or its beginning; see `earmark runs`.")],
    output: Annotated[
        Path | None, typer.Option(help="Where to write the page. [default: WORK/reports/RUN.html]")
    ] = None,
    work: Work = "work",
) -> None:
    """Write the report of a run as one HTML file, and print its path."""
    from earmark.pipelines.commands import write_report

    print(write_report(run, output, work))


@app.command()
def runs(work: Work = "work", json: Json = False) -> None:
    """List the runs of this work folder, the newest first."""
    from earmark.pipelines.commands import show_runs

    show_runs(work, json)


@app.command()
def models(work: Work = "work", json: Json = False) -> None:
    """List the registered models and their versions."""
    from earmark.pipelines.commands import show_models

    show_models(work, json)


@app.command()
def architectures(
    labels: Annotated[int, typer.Option(help="Size of the output layer.", min=1)] = 3087,
    width: Annotated[float, typer.Option(help="Scale of channels and dense units.", min=0.01)] = 1.0,
    bottleneck: Annotated[int | None, typer.Option(help="Size of the bottleneck layer; none by default.")] = None,
    json: Json = False,
) -> None:
    """Weights and multiplies of the five networks, the paper's counts beside ours."""
    from earmark.pipelines.commands import show_architectures

    show_architectures(labels, width, bottleneck, json)


@app.command()
def config(
    preset: Annotated[str, typer.Argument(help="The preset to show.")] = "modern",
    json: Json = False,
) -> None:
    """Show every field of a preset's config with its meaning."""
    from earmark.pipelines.commands import show_config

    show_config(preset, json)


@app.command()
def ui(
    work: Work = "work",
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 5000,
) -> None:
    """Open MLflow on this work folder: runs, curves, registered models."""
    from earmark.pipelines.commands import open_ui

    open_ui(work, port)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def _patch(file: Path | None, assignments: list[str], train: dict[str, Any], seed: int | None) -> dict[str, Any]:
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


def main() -> None:
    """Run the command; errors people can cause end it with one line."""
    try:
        app()
    except EarmarkError as error:
        print(f"earmark: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
