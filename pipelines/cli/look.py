"""Commands that show what there is: reports, runs, networks, configs, MLflow's pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.pipelines.cli.app import Json, Work, app


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
def figures(
    run: Annotated[
        str | None,
        typer.Argument(help="A run's id, or its beginning; can be left out with --clip."),
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Folder to write to. [default: WORK/figures/RUN]")] = None,
    network: Annotated[
        str | None, typer.Option(help="Whose labels and outputs to draw. [default: the first by validation]")
    ] = None,
    clip: Annotated[Path | None, typer.Option(help="A sound file to draw the model's outputs over, too.")] = None,
    model: Annotated[str, typer.Option(help="Of --clip: a registered model, or a package's folder.")] = "earmark",
    work: Work = "work",
    json: Json = False,
) -> None:
    """Write the figures of a run as SVG, PNG and CSV, and list them."""
    from earmark.pipelines.figures import write_figures

    write_figures(run, to, network, clip, model, work, json)


@app.command()
def runs(
    cluster: Annotated[
        bool, typer.Option("--cluster", help="The runs on Kubeflow (KFP_ENDPOINT), with state and duration.")
    ] = False,
    work: Work = "work",
    json: Json = False,
) -> None:
    """List the runs of this work folder, or of the store that EARMARK_STORE names, the newest first."""
    if cluster:
        from earmark.pipelines.kubeflow.control import show_cluster_runs

        show_cluster_runs(json)
        return
    from earmark.pipelines.commands import show_runs

    show_runs(work, json)


@app.command()
def architectures(
    labels: Annotated[int, typer.Option(help="Size of the output layer.", min=1)] = 3087,
    width: Annotated[float, typer.Option(help="Scale of channels and dense units.", min=0.01)] = 1.0,
    bottleneck: Annotated[int | None, typer.Option(help="Size of the bottleneck layer; none by default.")] = None,
    json: Json = False,
) -> None:
    """Weights and multiplies of the five networks and VGGish, the paper's counts beside ours."""
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
