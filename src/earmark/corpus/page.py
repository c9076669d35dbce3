"""The page about a data set: one file with everything in it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from earmark.corpus import pictures
from earmark.evaluation.report import numbers

MOST_TOGETHER = 12
COUNTED = (
    *(("formats", "Format"), ("rates", "Rate in Hz"), ("channels", "Channels")),
    ("labels_per_clip", "Labels a clip"),
)


def render_description(name: str, told: Mapping[str, Any]) -> str:
    """The whole HTML page; nothing in it is loaded from elsewhere.

    Args:
        name: what the data is called.
        told: what ``describe`` gives.
    """
    labels = list(told["labels"])
    page = {
        "name": name,
        "d": told,
        "lead": _lead(told),
        "bars": pictures.bars(told["labels"], told["splits"]),
        "splits": list(told["splits"] or ()),
        "lengths": _lengths(told["duration"]["quartiles"]),
        "durations": pictures.histogram(told["duration"], "seconds", "Durations"),
        "peaks": pictures.histogram(told["peak_dbfs"], "dBFS", "Peaks"),
        "matrix": pictures.matrix(told["together"], labels)
        if max(map(int, told["labels_per_clip"] or [1])) > 1
        else None,
        "pairs": _pairs(told["together"], labels),
        "tables": [(title, told[key]) for key, title in COUNTED],
        "whole": numbers.whole,
        "duration": numbers.duration,
        "percent": numbers.percent,
        "counted": numbers.counted,
        "hue": ("n0", "n1", "n2"),
        "css": Markup(_resource("earmark.evaluation.report", "page.css")),
    }
    return _template().render(page)


def _lead(told: Mapping[str, Any]) -> list[str]:
    """What it is, in two sentences."""
    counts = {label: count["clips"] for label, count in told["labels"].items()}
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    lead = [
        f"{numbers.counted(told['clips'], 'clip').capitalize()} with {numbers.counted(len(counts), 'label')}, "
        f"{numbers.duration(told['seconds'])} of sound, read as {told['form']}."
    ]
    if counts[most] > counts[least]:
        lead.append(f"{most} has most clips, {numbers.whole(counts[most])}, and {least} fewest, {counts[least]:,}.")
    if told["left_out"]:
        lead.append(f"{numbers.counted(told['left_out'], 'clip').capitalize()} had to be left out.")
    return lead


def _lengths(quartiles: list[float]) -> str:
    least, low, _, high, most = quartiles
    if least == most:
        return f"Every clip lasts {least:.3g} seconds."
    half = f"half of them {low:.3g} seconds" if low == high else f"half of them {low:.3g} to {high:.3g}"
    return f"Clips last {least:.3g} to {most:.3g} seconds, {half}."


def _pairs(together: list[list[int]], labels: list[str]) -> list[dict[str, Any]]:
    """Pairs of labels that come together most often, with the share of the rarer one's clips."""
    counted = [(together[i][j], i, j) for i in range(len(labels)) for j in range(i) if together[i][j]]
    return [
        {
            "one": labels[i],
            "other": labels[j],
            "clips": clips,
            "share": clips / min(together[i][i], together[j][j]),
        }
        for clips, i, j in sorted(counted, key=lambda pair: (-pair[0], *pair[1:]))[:MOST_TOGETHER]
    ]


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_resource("earmark.corpus", "page.html.j2"))


def _resource(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")
