"""What the commands do, once their arguments are read."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import typer

from earmark.config import ARCHITECTURES, OTHER_ARCHITECTURES, Experiment, make_config
from earmark.errors import EarmarkError, UserError
from earmark.pipelines.decision import champion_in, decision_lines, decision_of, gate_in
from earmark.pipelines.folds import Folds, choose_folds, crossval_request
from earmark.pipelines.local import Place, open_place, run_pipeline
from earmark.pipelines.pooled import POOLED_COLUMNS, pooled_notes, pooled_rows, pooled_title
from earmark.pipelines.runs import Run, find_run, list_runs, networks_of, now, record, result_of, run_id
from earmark.pipelines.settings import compare_request
from earmark.pipelines.terminal import COMPARISON_COLUMNS, Terminal, comparison_rows, counted, print_json, print_table
from earmark.store import Store, open_store
from earmark.training.processes import visible_gpus

SLOW_WIDTH = 0.75
"""From here on a CPU is told to be too slow: multiplies grow with the square of the width."""


def run_compare(
    data: str,
    preset: str,
    architectures: Sequence[str],
    patch: Mapping[str, Any],
    model: str,
    work: str,
    json: bool,
    processes: int | None = None,
) -> None:
    """``earmark run compare``: run the graph here, then print the table and where the report is."""
    experiment = compare_request(preset, patch, architectures)
    place = replace(open_place(work), processes=processes)
    run_graph("compare", data, experiment, model, place, json, _print_comparison)


def run_crossval(
    data: str,
    preset: str,
    architectures: Sequence[str],
    patch: Mapping[str, Any],
    folds: str | None,
    seeds: str | None,
    work: str,
    json: bool,
    processes: int | None = None,
) -> None:
    """``earmark run compare`` over folds or seeds: run the graph here, then print the pooled scores."""
    chosen = choose_folds(folds, absolute(data)) if folds is not None else Folds()
    experiment = crossval_request(preset, patch, architectures, chosen, seeds)
    place = replace(open_place(work), processes=processes)
    run_graph("crossval", data, experiment, "", place, json, _print_pooled)


def run_graph(
    pipeline: str,
    data: str,
    experiment: Experiment,
    model: str,
    place: Place,
    json: bool,
    show: Callable[[Place, Store, str, bool], None],
    *,
    more: Mapping[str, Any] | None = None,
    identity: Mapping[str, Any] | None = None,
) -> None:
    """Run a pipeline over an experiment's variants, and show what came out, whether it succeeds or not.

    Args:
        pipeline: its name.
        data: where the clips are.
        experiment: base config and variants.
        model: name of the registered model, "" for a pipeline that registers none.
        place: where the run keeps things.
        json: whether one JSON document is wanted.
        show: prints what the run's steps left in the store.
        more: parameters of this pipeline alone.
        identity: what the run is named by beside its parameters.
    """
    store = _store(place)
    arguments: dict[str, Any] = {
        "data": absolute(data),
        "experiment": experiment.to_json(),
        "variants": [variant.name for variant in experiment.variants],
        **({"model": model} if model else {}),
        **(more or {}),
    }
    name = run_id(pipeline, {**arguments, **(identity or {})})
    preset = experiment.base.preset
    run = Run(name, pipeline, arguments["data"], model, preset, tuple(arguments["variants"]), now())
    terminal = Terminal()
    what = "models (networks × folds × seeds)" if pipeline == "crossval" else "networks"
    terminal.console.print(f"run {name}: {len(run.variants)} {what} on {data}, preset {preset}")
    if experiment.base.architecture.width >= SLOW_WIDTH and not visible_gpus():
        terminal.console.print("no GPU here: at this width a network takes hours; --preset quick takes minutes")
    follow_run(place, store, run, arguments, terminal, json, show)


def follow_run(
    place: Place,
    store: Store,
    run: Run,
    arguments: Mapping[str, Any],
    terminal: Terminal,
    json: bool,
    show: Callable[[Place, Store, str, bool], None],
) -> None:
    """Run a pipeline with the run's id among its arguments, recording what becomes of it, then show what came out."""
    record(store, run)
    # SIGTERM ends a run as Ctrl-C does: its children are a session of their own and would go on.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run_pipeline(place, run.pipeline, run.run, {**arguments, "run": run.run}, terminal)
    except KeyboardInterrupt:
        record(store, replace(run, finished=now(), state="stopped"))
        terminal.console.print("stopped; finished steps and checkpoints are kept: the same command goes on from there")
        _end_in_mlflow(place, run.run, "KILLED", "stopped")
        raise typer.Exit(130) from None
    except EarmarkError as error:
        record(store, replace(run, finished=now(), state="failed"))
        _end_in_mlflow(place, run.run, "FAILED", str(error))
        show(place, store, run.run, json)
        raise
    record(store, replace(run, finished=now(), state="succeeded"))
    if terminal.done and len(terminal.reused) == len(terminal.done):
        terminal.console.print("every step was done already: nothing was computed")
    show(place, store, run.run, json)


def absolute(data: str) -> str:
    """A place of data that means the same in every process."""
    return str(Path(data).expanduser().absolute()) if "://" not in data else data


def _end_in_mlflow(place: Place, run: str, status: Literal["FAILED", "KILLED"], cause: str) -> None:
    """What still runs of it in MLflow ends: its last step, which would end it, was not reached."""
    from earmark.tracking import end_run

    missing = end_run(place.environment()["MLFLOW_TRACKING_URI"], run, status, cause)
    if missing:
        print(f"MLflow still shows run {run} as running: {missing}", file=sys.stderr)


def _print_pooled(place: Place, store: Store, run: str, json: bool) -> None:
    """The pooled scores of a cross-validation, as far as it got."""
    pooled = result_of(store, run, "pool_models")
    if pooled is None:
        return
    report = report_file(place, store, run, None)
    if json:
        print_json({**pooled.facts, "run": run, "report": str(report)})
        return
    print_table(pooled_title(pooled.facts), POOLED_COLUMNS, pooled_rows(pooled.facts))
    for line in pooled_notes(pooled.facts):
        print(line)
    print(f"report: {report}")


def _print_comparison(place: Place, store: Store, run: str, json: bool) -> None:
    """The result of a run, as far as it got."""
    comparison = result_of(store, run, "compare_models")
    if comparison is None:
        return
    report = report_file(place, store, run, None)
    decision = decision_of(place, store, run)
    if json:
        told = {"champion": champion_in(decision), "gate": gate_in(decision)} if decision else {"champion": None}
        print_json({**comparison.facts, "run": run, "report": str(report), **told})
        return
    print_networks(comparison.facts)
    if decision is not None:
        print(f"registered: {comparison.facts['champion']}, version {decision['version']} of model {decision['name']}")
        for line in decision_lines(decision):
            print(line)
    print(f"report: {report}")


def print_networks(facts: Mapping[str, Any]) -> None:
    """The networks of a comparison as a table."""
    title = f"{facts['evaluated_clips']} test clips; networks in the order of the validation part"
    print_table(title, COMPARISON_COLUMNS, comparison_rows(facts["networks"]))


def write_report(run: str, output: Path | None, work: str) -> Path:
    """``earmark report``: the page of a run, written where it is wanted."""
    place = open_place(work)
    store = _store(place)
    return report_file(place, store, find_run(store, run).run, output)


def report_file(place: Place, store: Store, run: str, output: Path | None) -> Path:
    """The page of a run, written where it is wanted, else below the work folder.

    Raises:
        UserError: the run has none yet, or the place cannot be written.
    """
    # A retraining is about champion and challenger; how its networks compare is told beside that.
    steps = ("gate_model",) if run.startswith("retrain-") else ("compare_models", "pool_models", "evaluate_package")
    found = (result_of(store, run, step) for step in steps)
    told = next((manifest for manifest in found if manifest is not None), None)
    news = result_of(store, run, "find_news")
    if told is None and news is not None and not news.facts["found"]:
        raise UserError(f"run {run} has no report: there was {news.facts['told']}")
    if told is None:
        raise UserError(f"run {run} has no report yet: its command, given again, goes on with it")
    path = output or place.work / "reports" / f"{run}.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(told.files["gate.html" if told.step == "gate_model" else "report.html"].read(store))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another place with --output") from None
    return path


def show_runs(work: str, json: bool) -> None:
    """``earmark runs``."""
    found = list_runs(_store(open_place(work)))
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
    command += ["--backend-store-uri", environment["MLFLOW_TRACKING_URI"]]
    command += ["--artifacts-destination", (Path(environment["EARMARK_WORK"]) / "mlartifacts").as_uri()]
    os.execve(sys.executable, command, {**environment, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})


def _store(place: Place) -> Store:
    return open_store(place.environment()["EARMARK_STORE"])
