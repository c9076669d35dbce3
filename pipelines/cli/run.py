"""Commands that run pipelines here."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.pipelines.cli import asking
from earmark.pipelines.cli.app import Assignments, ConfigFile, Data, Json, Processes, Seed, Work, app, patch_of, run_app
from earmark.pipelines.cli.asking import offer

if TYPE_CHECKING:
    from earmark.pipelines.requests import Request
else:
    Request = object  # signatures are evaluated when the command starts, before anything heavy is imported


def compare(
    ask: Callable[[], Request],
    processes: Processes = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Train and compare networks on one dataset; report, and register the best.

    The same command again goes on where the last one stopped; finished steps are not repeated.

    For example: earmark run compare --data examples/esc10 --architectures resnet50,alexnet --steps 100
    """
    from earmark.pipelines.commands import run_request
    from earmark.pipelines.local import open_place

    request = ask()
    run_request(request, open_place(work, processes), json)


def labels(
    ask: Callable[[], Request],
    processes: Processes = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Label-set sizes, each without and with a bottleneck, scored on the smallest set: the paper's Table 3.

    For example: earmark run labels --data recordings --sizes all,20,5 --preset quick
    """
    compare(ask, processes, work, json)


def ladder(
    ask: Callable[[], Request],
    processes: Processes = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Smaller and smaller parts of the training clips at the same number of steps: the paper's Table 4.

    For example: earmark run data --data recordings --factor 4 --rungs 4 --steps 500
    """
    compare(ask, processes, work, json)


def study(
    ask: Callable[[], Request],
    processes: Processes = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Your own list of variants, each a name and changes to the config, compared on one dataset.

    For example: earmark run study examples/studies/fully_connected.yaml --data recordings --steps 500
    """
    compare(ask, processes, work, json)


def retrain(
    ask: Callable[[], Request],
    processes: Processes = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Train the champion's successor on new clips, and put it to the gate; stops at once where nothing is new.

    Clips are new, changed, removed or relabelled since the champion was trained; only new sound is decoded. Champion
    and challenger are then scored on test clips that neither learned from, and the better one stays.

    For example: earmark run retrain --data recordings --from champion --set gate.protected=[siren]
    """
    _run_by_registry(ask, processes, work, json)


def transfer(
    ask: Callable[[], Request],
    processes: Processes = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Use a trained network on other clips: heads on its embeddings, fine-tuning, log-mel alone; from few clips to all.

    For example: earmark run transfer --data recordings --from earmark --clips 5,all --model mine
    """
    _run_by_registry(ask, processes, work, json)


def probe(
    ask: Callable[[], Request],
    work: Work = "work",
    json: Json = False,
) -> None:
    """Train heads on Audio Set's published embeddings (TFRecords), from few clips a label to all; registers nothing.

    For example: earmark run probe --data audioset_v1_embeddings --clips 5,all
    """
    from earmark.pipelines.commands import run_request
    from earmark.pipelines.local import open_place

    run_request(ask(), open_place(work, None), json)


def evaluate(ask: Callable[[], Request], work: Work = "work", json: Json = False) -> None:
    """Score a registered model on labelled sound: every clip of it, with the report of a run.

    Clips that the model was trained on are named and left out; so are labels that only the model or only the data has.

    For example: earmark evaluate earmark@champion --data recordings/
    """
    _run_by_registry(ask, None, work, json)


def _run_by_registry(ask: Callable[[], Request], processes: int | None, work: str, json: bool) -> None:
    """Run what can be asked only once it is known where the registry is."""
    from earmark.pipelines.commands import run_request
    from earmark.pipelines.local import open_place

    place = open_place(work, processes)
    os.environ.update(place.environment())
    run_request(ask(), place, json)


offer(run_app, "compare", asking.compare, compare)
offer(run_app, "labels", asking.labels, labels)
offer(run_app, "data", asking.ladder, ladder)
offer(run_app, "study", asking.study, study)
offer(run_app, "retrain", asking.retrain, retrain)
offer(run_app, "transfer", asking.transfer, transfer)
offer(run_app, "probe", asking.probe, probe)
offer(app, "evaluate", asking.evaluate, evaluate)


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
