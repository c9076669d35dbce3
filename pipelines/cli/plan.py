"""What a run would take, before it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.pipelines.cli.app import Assignments, ConfigFile, Json, Work, app, patch_of


@app.command()
def plan(
    clips: Annotated[int, typer.Option(help="How many clips.", min=1)],
    seconds: Annotated[float, typer.Option(help="Length of each.", min=0.1)],
    labels: Annotated[int, typer.Option(help="How many labels.", min=2)],
    preset: Annotated[str, typer.Option(help="modern, quick or paper: of the run that is meant.")] = "modern",
    architectures: Annotated[str, typer.Option(help="Networks, comma-separated. [default: all five]")] = "",
    steps: Annotated[int | None, typer.Option(help="Optimiser steps of each network.")] = None,
    epochs: Annotated[float | None, typer.Option(help="In place of --steps: times that each patch is seen.")] = None,
    gpus: Annotated[
        int | None,
        typer.Option(
            help="GPUs of a training. Where none is here, goals for one H200 at width 1 are taken. [default: what is "
            "here, one at most]",
            min=0,
        ),
    ] = None,
    pods: Annotated[int, typer.Option(help="Pods that extract features side by side.", min=1)] = 1,
    cores: Annotated[int | None, typer.Option(help="Cores of each pod. [default: this machine's]", min=1)] = None,
    one_label: Annotated[bool, typer.Option("--one-label", help="Each clip has one label.")] = False,
    data: Annotated[
        str | None, typer.Option(help="Measure on the first 40 clips of these data. [default: on made-up ones]")
    ] = None,
    rates: Annotated[Path | None, typer.Option(help="Take the rates of this file, and measure nothing.")] = None,
    save_rates: Annotated[Path | None, typer.Option(help="Write the rates to this file, to be edited.")] = None,
    price_gpu_hour: Annotated[float | None, typer.Option(help="Price of a GPU's hour.", min=0.0)] = None,
    price_core_hour: Annotated[float | None, typer.Option(help="Price of a core's hour.", min=0.0)] = None,
    price_gb_month: Annotated[float | None, typer.Option(help="Price of a stored GB a month.", min=0.0)] = None,
    price_1000_writes: Annotated[
        float | None, typer.Option(help="Price of 1,000 PUT, POST and LIST requests.", min=0.0)
    ] = None,
    price_1000_reads: Annotated[
        float | None, typer.Option(help="Price of 1,000 GET and HEAD requests.", min=0.0)
    ] = None,
    config: ConfigFile = None,
    set_: Assignments = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Tell what a comparison would take: time, memory, storage, requests and cost of each step.

    First this machine is measured, for half a minute with two small networks: files decoded, training steps of each
    network, scores, metrics, the store (EARMARK_STORE), and a run in small. Then each step's figures follow from the
    counts: more clips, longer ones, more labels. To plan for other hardware, write the rates with --save-rates, edit
    them, and give them back with --rates. Splits are those of the config (--set data.test_share=0.01).

    For example: earmark plan --clips 2000000 --seconds 10 --labels 527 --steps 100000 --gpus 1 --pods 16
    """
    import earmark.components.adapter  # noqa: F401  (threads wait as in a step; read when torch is loaded)
    from earmark.pipelines.planning import Wanted, show_plan
    from earmark.planning import Corpus
    from earmark.planning.cost import Prices

    wanted = Wanted(
        Corpus(clips, seconds, labels, one_label),
        preset,
        [name.strip() for name in architectures.split(",") if name.strip()],
        patch_of(config, set_ or [], {"steps": steps, "epochs": epochs}, None),
        cores,
        pods,
        gpus,
        data,
        rates,
        save_rates,
    )
    prices = Prices(price_gpu_hour, price_core_hour, price_gb_month, price_1000_writes, price_1000_reads)
    show_plan(wanted, prices, work, json)
