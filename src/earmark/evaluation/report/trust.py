"""How far a score can be taken as a probability: reliability plots, and what they say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from earmark.evaluation.report import numbers, svg
from earmark.evaluation.report.axes import x_axis, y_axis
from earmark.evaluation.report.data import Trust

WIDTH, HEIGHT = 440, 336
LEFT, RIGHT, TOP, BOTTOM = 38, 424, 30, 290
PLACES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def plots(trust: Trust) -> list[tuple[str, Markup]]:
    """Reliability on the test clips, as the network gave the scores and, where anything was fitted, calibrated."""
    found = trust.parts["test"]
    if not found["before"]["bins"]:
        return []
    shown = [("As the network gave them", "before"), ("Calibrated", "after")]
    return [(name, draw(found[when]["bins"], name)) for name, when in shown[: 1 if trust.method == "none" else 2]]


def draw(bins: Sequence[Mapping[str, Any]], name: str) -> Markup:
    """Share that was right over mean score, a dot a bin; the dotted diagonal is where both are the same."""
    x, y = svg.linear(0, 1, LEFT, RIGHT), svg.linear(0, 1, BOTTOM, TOP)
    parts = y_axis(PLACES, y, LEFT, RIGHT, lambda v: f"{v:g}")
    parts += x_axis(PLACES, x, BOTTOM, lambda v: f"{v:g}", "score")
    parts.append(svg.text(0, 12, "share that was right", "caption"))
    parts.append(svg.line(x(0), y(0), x(1), y(1), "chance"))
    most = max(each["count"] for each in bins)
    for each in bins:
        across = x(each["score"])
        told = (
            f"{numbers.whole(each['count'])} scores of {numbers.score(each['score'], 2)} on average: "
            f"{numbers.percent(each['share'])} right"
        )
        parts.append(svg.line(across, y(each["low"]), across, y(each["high"]), "span n0"))
        parts.append(svg.dot(across, y(each["share"]), 2.5 + 6 * math.sqrt(each["count"] / most), "dot see n0", told))
    said = ", ".join(f"{each['score']:.2f} right {each['share']:.0%}" for each in bins)
    return svg.chart(WIDTH, HEIGHT, f"{name}: {said}", parts)


def rows(trust: Trust) -> list[dict[str, Any]]:
    """A row a part that has clips."""
    return [
        {"part": f"{numbers.whole(found['before']['clips'])} {name}", **found}
        for name, found in trust.parts.items()
        if found["before"]["clips"]
    ]


def sentences(trust: Trust) -> list[str]:
    """What the plots say, and what was done."""
    found = trust.parts["test"]
    before, after = (found[when]["ece"] for when in ("before", "after"))
    if before is None:
        return [_done(trust)]
    off = f"On the test clips a score is {_points(before)} away from how often it is right"
    if trust.method == "none":
        return [f"{off}{_chance(before, found['before']['chance'])}.", _done(trust)]
    return [f"{off}; calibrated, {_points(after)}{_chance(after, found['after']['chance'])}.", _done(trust)]


def _chance(error: float, chance: float) -> str:
    return ", no more than chance makes of so few clips" if error <= 1.25 * chance else ""


def _points(error: float) -> str:
    return f"{100 * error:.1f} points" if error < 0.0995 else f"{100 * error:.0f} points"


def _done(trust: Trust) -> str:
    if trust.method == "none":
        return "The scores were left as they are: no fit to the validation clips made them better than chance would."
    sizes = {round(t, 2) for t in trust.temperatures}
    span = f"{min(sizes):.2f}" if len(sizes) == 1 else f"{min(sizes):.2f} to {max(sizes):.2f}"
    scale = "logarithms" if trust.output == "softmax" else "log-odds"
    if trust.method == "temperature":
        sure = "less" if min(sizes) > 1 else "more"
        return f"Calibration divides the {scale} of all scores by one temperature, {span}: it makes them {sure} sure."
    return f"Calibration gives each label with enough clips its own temperature ({span} here) and shift of the {scale}."
