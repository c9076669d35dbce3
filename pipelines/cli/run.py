"""Commands that run pipelines here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.pipelines.cli.app import Assignments, ConfigFile, Data, Json, Processes, Seed, Work, app, patch_of, run_app


@run_app.command()
def compare(
    data: Data,
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
    seed: Seed = None,
    config: ConfigFile = None,
    set_: Assignments = None,
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
    processes: Processes = None,
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
    patch = patch_of(config, set_ or [], {**budget, "resume_from": resume}, seed)
    names = [name.strip() for name in architectures.split(",") if name.strip()]
    if folds is not None or seeds is not None:
        run_crossval(data, preset, names, patch, folds, seeds, work, json, processes)
    else:
        run_compare(data, preset, names, patch, model, work, json, processes)


@run_app.command()
def retrain(
    data: Data,
    model: Annotated[str, typer.Option(help="Name of the registered model.")] = "earmark",
    from_: Annotated[
        str, typer.Option("--from", help="scratch (fresh weights), or champion (the champion's weights).")
    ] = "scratch",
    preset: Annotated[
        str | None, typer.Option(help="modern, quick or paper, in place of the champion's own config.")
    ] = None,
    architectures: Annotated[
        str, typer.Option(help="Networks to train, comma-separated. [default: the champion's]")
    ] = "",
    steps: Annotated[int | None, typer.Option(help="Optimiser steps of each network.")] = None,
    seed: Seed = None,
    config: ConfigFile = None,
    set_: Assignments = None,
    force: Annotated[bool, typer.Option("--force", help="Train even if no clip is new.")] = False,
    processes: Processes = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Train the champion's successor on new clips, and put it to the gate; stops at once where nothing is new.

    Clips are new, changed, removed or relabelled since the champion was trained; only new sound is decoded. Champion
    and challenger are then scored on test clips that neither learned from, and the better one stays.

    For example: earmark run retrain --data recordings --from champion --set gate.protected=[siren]
    """
    from earmark.pipelines.retraining import run_retrain

    patch = patch_of(config, set_ or [], {"steps": steps}, seed)
    names = [name.strip() for name in architectures.split(",") if name.strip()]
    run_retrain(data, model, from_, preset, names, patch, force, work, json, processes)


@app.command()
def lr_range(
    data: Data,
    architecture: Annotated[str, typer.Option(help="The network to try.")] = "resnet50",
    preset: Annotated[str, typer.Option(help="modern, quick or paper.")] = "modern",
    seed: Seed = None,
    config: ConfigFile = None,
    set_: Assignments = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Find a learning rate: 100 steps on a fresh network while the rate rises from 1e-6 to 1; a table and a plot.

    For example: earmark lr-range --data examples/esc10 --preset quick
    """
    from earmark.pipelines.lr_range import show_lr_range

    show_lr_range(data, preset, architecture, patch_of(config, set_ or [], {}, seed), work, json)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="NAME (its champion), NAME@ALIAS, NAME/VERSION, or a package's folder.")],
    data: Data,
    include_trained: Annotated[
        bool, typer.Option("--include-trained", help="Keep clips that the model was trained or chosen on.")
    ] = False,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Score a registered model on labelled sound: every clip of it, with the report of a run.

    Clips that the model was trained on are named and left out; so are labels that only the model or only the data has.

    For example: earmark evaluate earmark@champion --data recordings/
    """
    from earmark.pipelines.evaluation import run_evaluate

    run_evaluate(model, data, include_trained, work, json)
