"""The options that say what is asked of a pipeline: the same for ``earmark run`` and ``earmark submit``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earmark.pipelines.cli.app import Assignments, ConfigFile, Data, Seed, patch_of

if TYPE_CHECKING:
    from earmark.pipelines.requests import Request
else:
    Request = object  # signatures are evaluated when the command starts, before anything heavy is imported


def offer(app: typer.Typer, name: str, ask: Callable[..., Request], act: Callable[..., None]) -> None:
    """Add a command whose options are those of ``ask``, then those of ``act``; its help is the text of ``act``.

    Args:
        app: what the command is added to.
        name: the command's name.
        ask: makes the request.
        act: takes what makes the request, a callable without arguments, and options of its own.
    """
    asked = inspect.signature(ask, eval_str=True).parameters
    _, *acted = inspect.signature(act, eval_str=True).parameters.values()

    def command(**values: Any) -> None:
        act(partial(ask, **{name: values.pop(name) for name in asked}), **values)

    # By keyword alone, so that those without a default may come after the others. typer reads the signature.
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*asked.values(), *acted)]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {}
    command.__doc__ = act.__doc__
    app.command(name)(command)


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
) -> Request:
    """Networks compared, or over folds and seeds."""
    from earmark.pipelines.requests import ask_compare, ask_crossval

    budget = {"steps": steps, "epochs": epochs, "minutes": minutes}
    local = resume_from is not None and "://" not in resume_from
    resume = str(Path(str(resume_from)).expanduser().absolute()) if local else resume_from
    patch = patch_of(config, set_ or [], {**budget, "resume_from": resume}, seed)
    if folds is not None or seeds is not None:
        return ask_crossval(data, preset, _names(architectures), patch, folds, seeds)
    return ask_compare(data, preset, _names(architectures), patch, model)


ONE_PRESET = "modern (best known), quick (modern in small) or paper (as published)."
ONE_MODEL = "Register the best network under this name. [default: nothing is registered]"


def labels(
    data: Data,
    preset: Annotated[str, typer.Option(help=ONE_PRESET)] = "modern",
    architecture: Annotated[str, typer.Option(help="The network.")] = "resnet50",
    sizes: Annotated[
        str, typer.Option(help="Sizes of the label sets, as in all,20,5. [default: all, half, a quarter]")
    ] = "",
    bottleneck: Annotated[int, typer.Option(help="Units of the bottleneck that each size is tried with, too.")] = 128,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps of each network.")] = None,
    epochs: Annotated[float | None, typer.Option(help="In place of --steps: times that each patch is seen.")] = None,
    minutes: Annotated[float | None, typer.Option(help="In place of --steps: minutes of training a network.")] = None,
    seed: Seed = None,
    config: ConfigFile = None,
    set_: Assignments = None,
    model: Annotated[str, typer.Option(help=ONE_MODEL)] = "",
) -> Request:
    """Label-set sizes with and without a bottleneck."""
    from earmark.pipelines.requests import ask_labels

    patch = patch_of(config, set_ or [], {"steps": steps, "epochs": epochs, "minutes": minutes}, seed)
    return ask_labels(data, preset, architecture, patch, sizes, bottleneck, model)


def ladder(
    data: Data,
    preset: Annotated[str, typer.Option(help=ONE_PRESET)] = "modern",
    architecture: Annotated[str, typer.Option(help="The network.")] = "resnet50",
    factor: Annotated[float, typer.Option(help="Each rung has so many times fewer training clips.")] = 10.0,
    rungs: Annotated[
        int | None,
        typer.Option(help="How many. [default: while about a batch of patches and one clip a label remain]"),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps of each rung, the same for all.")] = None,
    seed: Seed = None,
    config: ConfigFile = None,
    set_: Assignments = None,
    model: Annotated[str, typer.Option(help=ONE_MODEL)] = "",
) -> Request:
    """Smaller and smaller parts of the training clips."""
    from earmark.pipelines.requests import ask_data

    patch = patch_of(config, set_ or [], {"steps": steps}, seed)
    return ask_data(data, preset, architecture, patch, factor, rungs, model)


def study(
    file: Annotated[Path, typer.Argument(help="YAML file: a list of variants (name, patch), or with preset and base.")],
    data: Data,
    preset: Annotated[
        str | None, typer.Option(help="modern, quick or paper. [default: the file's, else modern]")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps where a variant has none of its own.")] = None,
    seed: Seed = None,
    config: ConfigFile = None,
    set_: Assignments = None,
    model: Annotated[str, typer.Option(help=ONE_MODEL)] = "",
) -> Request:
    """The variants of a file."""
    from earmark.pipelines.requests import ask_study

    return ask_study(file, data, preset, patch_of(config, set_ or [], {"steps": steps}, seed), model)


def transfer(
    data: Data,
    from_: Annotated[
        str,
        typer.Option("--from", help="The trained network: NAME (its champion), NAME@ALIAS, NAME/VERSION, or a folder."),
    ],
    methods: Annotated[
        str,
        typer.Option(
            help="Comma-separated: dense, linear, neighbours (heads on its embeddings), finetune, logmel-20, logmel-96 "
            "(the dense model on 200 and 960 ms of log-mel). [default: all six]"
        ),
    ] = "",
    clips: Annotated[str, typer.Option(help="Training clips of each label, comma-separated.")] = "1,5,10,all",
    freeze: Annotated[
        int | None, typer.Option(help="Stages that keep their weights in fine-tuning. [default: half of them]")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps of each dense head and each network.")] = None,
    preset: Annotated[str, typer.Option(help="modern, quick or paper.")] = "modern",
    model: Annotated[
        str, typer.Option(help="Register the best by validation under this name. [default: register nothing]")
    ] = "",
    seed: Seed = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> Request:
    """What a trained network is worth on other clips."""
    from earmark.pipelines.requests import ask_transfer

    patch = patch_of(config, set_ or [], {"steps": steps}, seed)
    return ask_transfer(data, from_, preset, _names(methods), _names(clips), freeze, patch, model)


def probe(
    data: Annotated[
        str, typer.Option(help="Folder with bal_train, unbal_train and eval of Audio Set's published embeddings.")
    ],
    methods: Annotated[str, typer.Option(help="Comma-separated: dense, linear, neighbours. [default: all three]")] = "",
    clips: Annotated[str, typer.Option(help="Training clips of each label, comma-separated.")] = "1,5,10,all",
    steps: Annotated[int | None, typer.Option(help="Optimiser steps of each dense head.")] = None,
    preset: Annotated[str, typer.Option(help="modern, quick or paper.")] = "modern",
    seed: Seed = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> Request:
    """Heads on published embeddings."""
    from earmark.pipelines.requests import ask_probe

    patch = patch_of(config, set_ or [], {"steps": steps}, seed)
    return ask_probe(data, preset, _names(methods), _names(clips), patch)


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
) -> Request:
    """The champion's successor."""
    from earmark.pipelines.requests import ask_retrain

    patch = patch_of(config, set_ or [], {"steps": steps}, seed)
    return ask_retrain(data, model, from_, preset, _names(architectures), patch, force)


def evaluate(
    model: Annotated[str, typer.Argument(help="NAME (its champion), NAME@ALIAS, NAME/VERSION, or a package's folder.")],
    data: Data,
    include_trained: Annotated[
        bool, typer.Option("--include-trained", help="Keep clips that the model was trained or chosen on.")
    ] = False,
    balanced: Annotated[
        int | None,
        typer.Option(
            help="Score about so many clips of each label, chosen by hash (the paper: 33). [default: all]", min=1
        ),
    ] = None,
) -> Request:
    """A model on labelled sound."""
    from earmark.pipelines.requests import ask_evaluate

    return ask_evaluate(model, data, include_trained, balanced)


def embed(
    data: Annotated[str, typer.Option(help="Folder of the sounds; all audio below it, no labels needed.")],
    model: Annotated[str, typer.Option(help="NAME (its champion), NAME@ALIAS or NAME/VERSION.")] = "earmark",
    kind: Annotated[str, typer.Option(help="raw (float32), whitened (by the model's PCA), or uint8.")] = "raw",
) -> Request:
    """Embeddings of sounds."""
    from earmark.pipelines.requests import ask_embed

    return ask_embed(model, data, kind)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
