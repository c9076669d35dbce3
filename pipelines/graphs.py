"""The pipelines' graphs: traced for this machine or for a cluster, and written as what Kubeflow reads."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kfp import compiler, dsl

from earmark.components.finish_run import finish_run
from earmark.components.preflight import preflight
from earmark.errors import unknown_name
from earmark.pipelines.cluster import Cluster
from earmark.pipelines.crossval import crossval
from earmark.pipelines.embed import embed
from earmark.pipelines.evaluate import evaluate
from earmark.pipelines.placement import Target, place, placed_on
from earmark.pipelines.probe import probe
from earmark.pipelines.retrain import retrain
from earmark.pipelines.transfer import transfer
from earmark.pipelines.variants import over_variants

Graph = Callable[..., None]
FUNCTIONS: dict[str, Graph] = {
    "compare": over_variants,
    "crossval": crossval,
    "embed": embed,
    "evaluate": evaluate,
    "retrain": retrain,
    "labels": over_variants,
    "data": over_variants,
    "study": over_variants,
    "transfer": transfer,
    "probe": probe,
}
GRAPHS: tuple[str, ...] = tuple(FUNCTIONS)
"""Names of the pipelines."""


def build(name: str, cluster: Cluster | None = None) -> Any:
    """A pipeline's graph, as a KFP graph component.

    Args:
        name: of the pipeline.
        cluster: where it is to run; None for this machine.

    Raises:
        UserError: no such pipeline, with the nearest one.
    """
    if name not in FUNCTIONS:
        raise unknown_name("pipeline", name, GRAPHS)
    function = FUNCTIONS[name]
    deadline = round(cluster.deadline_hours * 3600) if cluster else None
    decorate = dsl.pipeline(
        name=name,
        description=(inspect.getdoc(function) or "").partition("\n")[0],
        pipeline_config=dsl.PipelineConfig(active_deadline_seconds=deadline),
    )
    with placed_on(cluster) as target:
        return decorate(_framed(name, function, target))


def compile_graph(name: str, cluster: Cluster, path: Path) -> None:
    """Write a pipeline as Kubeflow reads it (YAML), with the run's deadline."""
    compiler.Compiler().compile(build(name, cluster), str(path))


def _framed(name: str, function: Graph, target: Target) -> Graph:
    """A graph between its first step, which tries what the run needs, and its last, which runs however it ended."""

    @functools.wraps(function)
    def framed(*channels: Any) -> None:
        given = inspect.signature(function).bind(*channels).arguments
        with dsl.ExitHandler(place(finish_run(run=given["run"]), "notify"), name=name):
            tried = preflight(
                pipeline=name,
                data=given["data"],
                experiment=given.get("experiment", ""),
                model=given.get("model", ""),
                run=given["run"],
            )
            target.first = place(tried, "data")
            function(**given)

    return framed
