"""A file of schedules: which pipeline runs when, on what, with which options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from earmark.errors import UserError, unknown_name
from earmark.pipelines.cli import asking
from earmark.pipelines.cli.app import patch_of
from earmark.pipelines.kubeflow.cron import Cron, parse_cron
from earmark.pipelines.kubeflow.submit import check_model, need_registry
from earmark.pipelines.marked_yaml import Marked, Place, read_marked, validate
from earmark.pipelines.requests import Request, retrain_arguments

PIPELINES: Mapping[str, Callable[..., Request]] = {
    "retrain": asking.retrain,
    "compare": asking.compare,
    "evaluate": asking.evaluate,
    "embed": asking.embed,
}
"""What can be scheduled, and where its options are."""


def _pipeline(name: str) -> str:
    if name not in PIPELINES:
        raise ValueError(str(unknown_name("pipeline", name, PIPELINES)))
    return name


def _cron(text: str) -> str:
    parse_cron(text)
    return text


def _anywhere(data: str) -> str:
    if "://" not in data:
        raise ValueError(f"{data!r} is a folder of this machine: upload it, and give its address (s3://sounds/…)")
    return data


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone: write it as UTC or Europe/Berlin") from None
    return name


class Part(BaseModel):
    """A part of the file: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Schedule(Part):
    """A recurring run."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
    """Names the schedule: small letters, digits and -."""
    pipeline: Annotated[str, AfterValidator(_pipeline)]
    """retrain, compare, evaluate or embed."""
    cron: Annotated[str, AfterValidator(_cron)]
    """When it fires: five fields, or six with the second first."""
    data: Annotated[str, AfterValidator(_anywhere)]
    """Where the clips are."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of ``earmark run PIPELINE``, with _ for -."""
    paused: bool = False
    """Keep it without firing."""
    max_concurrency: Annotated[int, Field(ge=1, le=10)] = 1
    """How many of its runs may go on at once."""
    catchup: bool = False
    """Make up for every firing that was missed."""
    experiment: Annotated[str, Field(min_length=1)] = "earmark"
    """The experiment in Kubeflow under which its runs are shown."""


class File(Part):
    """A file of schedules."""

    timezone: Annotated[str, AfterValidator(_zone)] | None = None
    """The back end's time zone, for where it cannot be read."""
    schedules: tuple[Schedule, ...]
    """Every schedule there is to be."""


@dataclass(frozen=True)
class Wanted:
    """A schedule as the back end is to have it.

    Attributes:
        name: of the schedule.
        graph: name of the pipeline's graph.
        arguments: all parameters of the graph.
        cron: when it fires.
        paused: whether it only waits.
        max_concurrency: runs at once.
        catchup: whether missed firings are made up for.
        experiment: name of the experiment.
    """

    name: str
    graph: str
    arguments: Mapping[str, Any]
    cron: Cron
    paused: bool
    max_concurrency: int
    catchup: bool
    experiment: str


def read_schedules(path: Path) -> tuple[list[Wanted], str | None]:
    """The schedules of a file, each checked as its command would, and the time zone it names.

    Raises:
        UserError: what is wrong, with file, line, field and remedy.
        EarmarkError: MLflow does not answer, which names the model of a scheduled evaluate or embed.
    """
    marked = read_marked(path)
    file = validate(File, marked, marked.values)
    first: dict[str, int] = {}
    for number, schedule in enumerate(file.schedules):
        place = ("schedules", str(number), "name")
        if schedule.name in first:
            raise marked.error(
                place, f"{schedule.name!r} is the name of another in line {first[schedule.name]}: give each its own"
            )
        first[schedule.name] = marked.line(place)
    return [_wanted(marked, number, schedule) for number, schedule in enumerate(file.schedules)], file.timezone


def _wanted(marked: Marked, number: int, schedule: Schedule) -> Wanted:
    place: Place = ("schedules", str(number), "options")
    options = validate(options_of(schedule.pipeline), marked, _joined(schedule.options), lambda inner: (*place, *inner))
    try:
        graph, arguments = _request(marked.path.parent, schedule, dict(options))
    except UserError as error:
        raise marked.error(place, str(error)) from None
    return Wanted(
        name=schedule.name,
        graph=graph,
        # The star becomes a part of Kubeflow's id of each run.
        arguments={**arguments, "run": f"{graph}-*"},
        cron=parse_cron(schedule.cron),
        paused=schedule.paused,
        max_concurrency=schedule.max_concurrency,
        catchup=schedule.catchup,
        experiment=schedule.experiment,
    )


@cache
def options_of(pipeline: str) -> type[BaseModel]:
    """The options of a pipeline's command, as fields of the file."""
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(PIPELINES[pipeline], eval_str=True).parameters.items():
        if name != "data":
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[name.rstrip("_")] = (parameter.annotation, default)
    return create_model(f"{pipeline.capitalize()}Options", __base__=Part, **fields)


def _joined(options: Mapping[str, Any]) -> dict[str, Any]:
    """What the command takes as text with commas may be a list in the file."""
    lists = ("architectures", "folds", "seeds")
    return {
        name: ",".join(map(str, value)) if name in lists and isinstance(value, list) else value
        for name, value in options.items()
    }


def _request(folder: Path, schedule: Schedule, options: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Graph and arguments; a file named by the options is looked for beside the schedules' file."""
    given = dict(options)
    if given.get("config") is not None:
        given["config"] = folder / given["config"]
    if schedule.pipeline != "retrain":
        parameters = inspect.signature(PIPELINES[schedule.pipeline]).parameters
        chosen = {name: given[name.rstrip("_")] for name in parameters if name != "data"}
        if "model" in chosen and schedule.pipeline != "compare":
            need_registry()
        request = PIPELINES[schedule.pipeline](data=schedule.data, **chosen)
        check_model(request)
        return request.pipeline, request.arguments
    # Not as the command asks: each run follows the champion and the data of its own day.
    names = [name.strip() for name in given["architectures"].split(",") if name.strip()]
    patch = patch_of(given["config"], given["set"] or [], {"steps": given["steps"]}, given["seed"])
    arguments = retrain_arguments(
        schedule.data, given["model"], given["from"], given["preset"], names, patch, given["force"]
    )
    return "retrain", arguments
