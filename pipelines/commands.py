"""What the commands do, once their arguments are read."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import typer

from earmark.config import ARCHITECTURES, OTHER_ARCHITECTURES, make_config
from earmark.errors import EarmarkError
from earmark.pipelines.evaluation import print_evaluation
from earmark.pipelines.local import Place, held, is_abandoned, open_place, run_pipeline
from earmark.pipelines.requests import Request
from earmark.pipelines.retraining import print_retraining
from earmark.pipelines.runs import networks_of
from earmark.pipelines.showing import Show, print_comparison, print_embeddings, print_pooled, report_file
from earmark.pipelines.terminal import Terminal, counted, print_json, print_table
from earmark.store import Store, open_store
from earmark.store.runs import FAILED, RUNNING, STOPPED, SUCCEEDED, Run, end, find_run, list_runs, now, read_run, record
from earmark.training.processes import visible_gpus

SLOW_WIDTH = 0.75
"""From here on a CPU is told to be too slow: multiplies grow with the square of the width."""


SHOW: Mapping[str, Show] = {
    "compare": print_comparison,
    "crossval": print_pooled,
    "labels": print_comparison,
    "data": print_comparison,
    "study": print_comparison,
    "retrain": print_retraining,
    "transfer": print_comparison,
    "probe": print_comparison,
    "evaluate": print_evaluation,
    "embed": print_embeddings,
}
"""What prints a pipeline's results."""


def run_request(request: Request, place: Place, json: bool) -> None:
    """Run what was asked, and show what came out, whether it succeeds or not.

    Args:
        request: pipeline and parameters.
        place: where the run keeps things.
        json: whether one JSON document is wanted.
    """
    terminal = Terminal()
    terminal.console.print(request.told)
    # A probe fits heads alone, which takes seconds.
    if request.trains and request.pipeline != "probe" and request.width >= SLOW_WIDTH and not visible_gpus():
        terminal.console.print("no GPU here: at this width a network takes hours; --preset quick takes minutes")
    run = Run(request.run, request.pipeline, request.data, request.model, request.preset, request.variants, now())
    follow_run(place, _store(place), run, request.arguments, terminal, json)


def follow_run(
    place: Place,
    store: Store,
    run: Run,
    arguments: Mapping[str, Any],
    terminal: Terminal,
    json: bool,
) -> None:
    """Run a pipeline with the run's id among its arguments, then show what came out.

    Its last step records how it ended, here and in MLflow; what it was not reached for is recorded here.

    Raises:
        UserError: another command runs it.
    """
    with held(place, run.run):
        show = SHOW[run.pipeline]
        before = read_run(store, run.run)
        if before is not None and before.state == RUNNING and before.kubeflow is None:
            terminal.console.print(f"started at {before.started} it was killed: this goes on from there")
        record(store, run)
        # SIGTERM ends a run as Ctrl-C does: its children are a session of their own and would go on.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            run_pipeline(place, run.pipeline, run.run, {**arguments, "run": run.run}, terminal)
        except KeyboardInterrupt:
            terminal.console.print(
                "stopped; finished steps and checkpoints are kept: the same command goes on from there"
            )
            with suppress(KeyboardInterrupt):  # a second one: the next command records it
                _settle(place, store, run.run, STOPPED, "stopped")
            raise typer.Exit(130) from None
        except EarmarkError as error:
            _settle(place, store, run.run, FAILED, str(error))
            show(place, store, run.run, json)
            raise
        _settle(place, store, run.run, SUCCEEDED, "")
        if terminal.done and len(terminal.reused) == len(terminal.done):
            terminal.console.print("every step was done already: nothing was computed")
        show(place, store, run.run, json)


def _settle(place: Place, store: Store, run: str, state: str, cause: str) -> None:
    """Record how a run ended whose last step did not come to it."""
    recorded = read_run(store, run)
    if recorded is not None and recorded.state != RUNNING:
        return
    end(store, run, state)
    if state == SUCCEEDED:
        return
    from earmark.tracking import end_run

    status: Literal["FAILED", "KILLED"] = "KILLED" if state == STOPPED else "FAILED"
    missing = end_run(place.environment()["MLFLOW_TRACKING_URI"], run, status, cause)
    if missing:
        print(f"MLflow still shows run {run} as running: {missing}", file=sys.stderr)


def write_report(run: str, output: Path | None, work: str) -> Path:
    """``earmark report``: the page of a run, written where it is wanted."""
    place = open_place(work)
    store = _store(place)
    return report_file(place, store, find_run(store, run).run, output)


def show_runs(work: str, json: bool) -> None:
    """``earmark runs``."""
    place = open_place(work)
    store = _store(place)
    for run in list_runs(store):
        if run.state == RUNNING and run.kubeflow is None and is_abandoned(place, run.run):
            _settle(place, store, run.run, STOPPED, "its command was killed")
    found = list_runs(store)
    if json:
        print_json([asdict(run) for run in found])
        return
    rows = [[r.run, r.state, r.started, r.preset, networks_of(r), r.data] for r in found]
    print_table(counted(len(rows), "run"), ("run", "state", "started", "preset", "networks", "data"), rows, left=6)


def show_models(work: str, json: bool, name: str | None = None) -> None:
    """``earmark models``; with a name its promotions."""
    os.environ.update(open_place(work).environment())
    if name is not None:
        from earmark.pipelines.promotions import show_history

        show_history(name, json)
        return
    from earmark.registry import list_models

    found = list_models()
    if json:
        print_json([asdict(version) for version in found])
        return
    rows = [
        [
            m.name,
            str(m.version),
            ", ".join(m.aliases),
            m.architecture,
            *("–" if value is None else f"{value:.3f}" for value in (m.map, m.auc, m.d_prime, m.accuracy)),
            m.created,
        ]
        for m in found
    ]
    columns = ("model", "version", "aliases", "network", "mAP", "AUC", "d-prime", "accuracy", "created")
    print_table(counted(len(rows), "version"), columns, rows, left=4)


def show_architectures(labels: int, width: float, bottleneck: int | None, json: bool) -> None:
    """``earmark architectures``."""
    from earmark.architectures import PAPER, count

    names = (*ARCHITECTURES, *OTHER_ARCHITECTURES)
    counts = {name: count(name, labels, width=width, bottleneck=bottleneck) for name in names}
    # The last layer is the output: its kernel is embedding × labels.
    embeddings = {name: c.layers[-1].weights // labels for name, c in counts.items()}
    if json:
        print_json(
            [
                {
                    "name": name,
                    "weights": c.weights,
                    "multiplies": c.multiplies,
                    "parameters": c.parameters,
                    "embedding_size": embeddings[name],
                }
                for name, c in counts.items()
            ]
        )
        return
    rows = [
        [
            name,
            f"{c.weights:,}",
            f"{PAPER[name].weights / 1e6:g} M" if name in PAPER else "–",
            f"{c.multiplies:,}",
            f"{PAPER[name].multiplies / 1e6:,g} M" if name in PAPER else "–",
            f"{embeddings[name]:,}",
        ]
        for name, c in counts.items()
    ]
    title = f"{labels:,} labels, width {width:g}; the paper's counts are for 3,087 labels at width 1"
    print_table(title, ("network", "weights", "paper", "multiplies", "paper", "embedding"), rows)


def show_config(preset: str, json: bool) -> None:
    """``earmark config``."""
    tree = make_config(preset)
    if json:
        print_json(tree.model_dump())
        return
    import yaml

    for name, value in tree.model_dump(mode="json").items():
        if not isinstance(value, dict):
            print(f"{name}: {value}")
            continue
        print(f"{name}:")
        fields = type(getattr(tree, name)).model_fields
        for key, inner in value.items():
            print(f"  # {fields[key].description}")
            text = yaml.safe_dump(inner, default_flow_style=True).strip().removesuffix("...").strip()
            print(f"  {key}: {text}")


def open_ui(work: str, port: int) -> None:
    """``earmark ui``: MLflow's own server on the work folder, in place of this process."""
    environment = open_place(work).environment()
    print(f"MLflow on http://127.0.0.1:{port} (Ctrl-C ends it)", file=sys.stderr)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--artifacts-destination", (Path(environment["EARMARK_WORK"]) / "mlartifacts").as_uri()]
    # Not on the command line, which every user of the machine can read: a database's address has its password.
    environment["MLFLOW_BACKEND_STORE_URI"] = environment["MLFLOW_TRACKING_URI"]
    os.execve(sys.executable, command, {**environment, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})


def _store(place: Place) -> Store:
    return open_store(place.environment()["EARMARK_STORE"])
