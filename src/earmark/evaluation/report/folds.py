"""The page of a cross-validation: networks over folds and seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from earmark.architectures import PAPER
from earmark.evaluation.report import classes, confusion, dots, numbers, prior, svg
from earmark.evaluation.report.data import Estimate, Network

MOST_PAIRS = 10
METRICS = {"accuracy": "Accuracy", "map": "mAP", "auc": "AUC", "d_prime": "d′"}


def render_folds(
    facts: Mapping[str, Any],
    best: Network | None,
    labels: Sequence[str],
    command: str,
    config: Mapping[str, Any],
    about: Sequence[tuple[str, str]],
) -> str:
    """The whole HTML page; nothing in it is loaded from elsewhere.

    Args:
        facts: of ``pool_models``.
        best: the first network, its tables made of its pooled scores; None where no network is whole.
        labels: names of the labels.
        command: makes the run again.
        config: the experiment.
        about: what identifies the run: versions, machine.
    """
    shown = ["accuracy", "map", "auc", "d_prime"] if facts["single_label"] else ["map", "auc", "d_prime"]
    main = shown[0]
    rows = _rows(facts)
    page = {
        "facts": facts,
        "best": best,
        "headline": headline(facts, main),
        "summary": summary(facts, main),
        "columns": [METRICS[name] for name in shown],
        "metrics": shown,
        "main": main,
        "main_name": dots.NAMES[main],
        "rows": rows,
        "dots": [(f"Test {dots.NAMES[name]}", dots.draw(rows, name)) for name in shown if name in dots.NAMES],
        "bars": _bars(best, facts["single_label"]),
        "prior": prior.draw(best.classes, best.title) if best else None,
        "confusion": confusion.draw(best.confusion, labels, best.title) if best and best.confusion else None,
        "pairs": confusion.pairs(best.confusion, labels)[:MOST_PAIRS] if best and best.confusion else [],
        "command": command,
        "config": json.dumps(config, indent=1, ensure_ascii=False),
        "about": about,
        "confidence": numbers.percent(facts["confidence"]),
        "estimate": estimate,
        "gain": gain,
        "hue": svg.hue,
        "where": dots.where,
        "metric": numbers.metric,
        "interval": numbers.interval,
        "percent": numbers.percent,
        "duration": numbers.duration,
        "whole": numbers.whole,
        "css": Markup(_resource("page.css")),
    }
    return _template().render(page)


def headline(facts: Mapping[str, Any], main: str) -> str:
    """The answer in one sentence: of the honest score where networks were chosen from."""
    first = facts["networks"][0]
    row, who = (facts["chosen"], "A network chosen by validation") if facts["chosen"] else (first, title(first))
    if row["single"] is None:
        return "No network has a model for every fold and seed."
    clips = numbers.counted(facts["evaluated_clips"], "unheard clip")
    found = numbers.metric(main, row["single"][main])
    return f"{who} recognised {found} of {clips}." if main == "accuracy" else f"{who} has an mAP of {found} on {clips}."


def summary(facts: Mapping[str, Any], main: str) -> list[str]:
    """How this was measured, and what averaging the models brings."""
    models = sum(len(network["models"]) for network in facts["networks"])
    seeds = numbers.counted(len(facts["seeds"]), "seed")
    if facts["moves"] == "test":
        how = f"Each of {numbers.counted(len(facts['folds']), 'fold')} was the test set once"
        how += ", and was scored by a network trained and selected without it"
    elif facts["moves"] == "validation":
        folds = numbers.counted(len(facts["folds"]), "fold")
        how = f"Each of {folds} was the validation part once; the test set is given by the data"
    else:
        how = "The data's own split was trained on and tested again and again"
    told = [f"{how}: {numbers.counted(models, 'model')} in all, of {seeds}. Nothing was registered."]
    row = facts["chosen"] or facts["networks"][0]
    if row["single"] is not None:
        span = numbers.interval(main, estimate(row["single"], main))
        told.append(f"The {numbers.percent(facts['confidence'])} interval of that score is {span}.")
        if row["gain"] is not None:
            together = numbers.metric(main, row["ensemble"][main])
            told[-1] += f" Averaging the models' scores for each clip gives {together} ({gain(row, main)})."
    return told


def title(network: Mapping[str, Any]) -> str:
    """The network's name as the paper writes it."""
    return PAPER[network["name"]].title if network["name"] in PAPER else str(network["name"])


def estimate(row: Mapping[str, Any], name: str) -> Estimate:
    """A score and its interval from a summary."""
    return Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"])


def gain(row: Mapping[str, Any], name: str) -> str:
    """What averaging changes, with its interval: ``+2.1 points, −0.4 to +4.6``."""
    if row["gain"] is None or row["gain"].get(name) is None:
        return ""
    percent = name == "accuracy"
    told = [_signed(row["gain"][f"{name}{end}"], percent) for end in ("", "_low", "_high")]
    return f"{told[0]}{' points' if percent else ''}, {told[1]} to {told[2]}"


def _signed(value: float | None, percent: bool) -> str:
    if value is None:
        return numbers.NONE
    return (f"{100 * value:+.1f}" if percent else f"{value:+.3f}").replace("-", "−")


def _rows(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The networks in their order, then the choice by validation."""
    rows = [{**network, "title": title(network), "hue": i} for i, network in enumerate(facts["networks"])]
    if facts["chosen"] is not None:
        rows.append({**facts["chosen"], "title": "by validation", "hue": None, "models": [], "missing": []})
    return rows


def _bars(best: Network | None, single_label: bool) -> list[tuple[str, Markup]]:
    if best is None:
        return []
    named = [("Average precision", "ap"), *([("Recall", "recall")] if single_label else []), ("AUC", "auc")]
    drawn = [(name, classes.bars([best], metric)) for name, metric in named]
    return [(name, drawing) for name, drawing in drawn if drawing is not None]


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_resource("folds.html.j2"))


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
