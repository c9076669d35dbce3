"""The page of the gate: a new version against the champion, label by label, and what was decided."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from earmark.architectures import PAPER
from earmark.evaluation.report import differences, numbers
from earmark.evaluation.report.data import Estimate

NEWS = {"new": "new", "changed": "with another sound", "removed": "no longer there", "relabelled": "with other labels"}


def render_gate(decision: Mapping[str, Any]) -> str:
    """The whole HTML page; nothing in it is loaded from elsewhere.

    Args:
        decision: ``decision.json`` of ``gate_model``.
    """
    rows = differences.ranked(decision["classes"])
    difference = decision["scores"]["map"]["difference"] if decision["scores"] else None
    shown = difference is not None and difference["value"] is not None
    gate = decision["gate"]
    page = {
        "d": decision,
        "gate": gate,
        "headline": headline(decision),
        "summary": summary(decision),
        "warning": warning(decision),
        "rows": rows,
        "unscored": [row for row in decision["classes"] if row["difference"]["value"] is None],
        "overall": differences.overall(difference, gate["margin"], gate["tolerance"]) if shown and difference else None,
        "scores": differences.scores(rows) if rows else None,
        "changes": differences.changes(rows) if rows else None,
        "news": [(text, decision["news"][name]) for name, text in NEWS.items()] if decision["news"] else [],
        "title": title,
        "span": span,
        "signed": differences.signed,
        "number": numbers.score,
        "percent": numbers.percent,
        "whole": numbers.whole,
        "config": json.dumps(gate, indent=1, ensure_ascii=False),
        "css": Markup(_resource("page.css")),
    }
    return _template().render(page)


def headline(decision: Mapping[str, Any]) -> str:
    """The decision in one sentence."""
    name, version, champion = decision["name"], decision["version"], decision["champion"]
    return {
        "first": f"Version {version} is the first champion of {name}.",
        "promoted": f"Version {version} takes the place of version {champion}.",
        "refused": f"Version {version} is refused; version {champion} stays champion.",
        "undecided": f"Undecided; version {champion} stays champion.",
        "unchanged": f"Nothing changes: version {version} is the champion.",
    }[str(decision["outcome"])]


def summary(decision: Mapping[str, Any]) -> list[str]:
    """Why, and on which clips."""
    why = decision["why"].replace(" -", " −")
    told = [f"{why if why.startswith('mAP') else why[:1].upper() + why[1:]}."]
    holdout = decision["holdout"]
    if holdout["clips"]:
        groups = numbers.counted(holdout["groups"], "group")
        text = f"Both were scored now on {numbers.counted(holdout['clips'], 'test clip')} of {groups}"
        left = f"; {numbers.counted(holdout['seen'], 'clip')} that one of them had learned from left out"
        told.append(f"{text} that neither learned from{left if holdout['seen'] else ''}.")
    labels = decision["labels"]
    for who in ("challenger", "champion"):
        if labels[f"{who}_only"]:
            listed = ", ".join(labels[f"{who}_only"][:8]).replace("_", " ") + (
                " …" if len(labels[f"{who}_only"]) > 8 else ""
            )
            told.append(f"Not compared, since only the {who} knows them: {listed}.")
    return told


def warning(decision: Mapping[str, Any]) -> str:
    """How worn the clips are that judged."""
    uses = decision["holdout"]["uses"]
    if not uses:
        return ""
    before = f"These same clips have judged {numbers.counted(uses, 'version')} before."
    return f"{before} Whoever wins often on the same clips may just suit them: add test clips now and then."


def title(architecture: str | None) -> str:
    """The network's name as the paper writes it."""
    return "" if architecture is None else PAPER[architecture].title if architecture in PAPER else architecture


def span(value: Mapping[str, float | None]) -> str:
    """The interval of a score."""
    return numbers.interval("map", Estimate(value["value"], value["low"], value["high"]))


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_resource("gate.html.j2"))


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
