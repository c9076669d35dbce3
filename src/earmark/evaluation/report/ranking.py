"""How the networks stand: scores with their intervals, and the two orders beside each other."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from earmark.evaluation.report import numbers, svg
from earmark.evaluation.report.axes import columns, x_axis
from earmark.evaluation.report.data import Estimate, Network

WIDTH = 440
ROW = 30


def intervals(networks: Sequence[Network], metric: str, chance: float | None) -> Markup:
    """A row a network: the test score as a dot, its interval as a line, chance as a dashed line."""
    known = [n.test.get(metric, Estimate(None)) for n in networks]
    values = [v for e in known for v in (e.value, e.low, e.high) if v is not None and abs(v) < 1e9]
    values += [chance] if chance is not None else []
    places = svg.ticks(min([*values, 0.0]), max([*values, 0.1]), 4)
    bottom = 26 + ROW * len(networks)
    x = svg.linear(places[0], places[-1], 118, WIDTH - 50)
    parts = columns(places, x, 18, bottom)
    if chance is not None:
        parts.append(svg.line(x(chance), 18, x(chance), bottom, "chance"))
        parts.append(svg.text(x(chance), 11, "chance", "caption", "middle" if x(chance) > 140 else "start"))
    for i, (network, estimate) in enumerate(zip(networks, known, strict=True)):
        y = 18 + ROW * (i + 0.55)
        told = f"{network.title}: {_told(metric, estimate)}"
        parts.append(svg.text(0, y + 4, numbers.shorten(network.title, 17), "name strong" if i == 0 else "name"))
        if estimate.value is None:
            parts.append(svg.text(x(places[0]) + 6, y + 4, "not defined", "caption"))
            continue
        value = min(estimate.value, places[-1])
        if estimate.low is not None and estimate.high is not None:
            parts.append(svg.line(x(estimate.low), y, x(min(estimate.high, places[-1])), y, f"span {svg.hue(i)}"))
        parts.append(svg.dot(x(value), y, 5.5, f"dot {svg.hue(i)}", told))
        parts.append(svg.text(WIDTH, y + 4, numbers.metric(metric, estimate.value), "value", "end"))
    parts += x_axis(places, x, bottom, lambda v: numbers.percent(v) if metric == "accuracy" else f"{v:g}")
    best = f"; first by validation: {networks[0].title}, {_told(metric, known[0])}" if networks else ""
    return svg.chart(WIDTH, bottom + 24, f"Test {NAMES[metric]} of each network with its interval{best}", parts)


NAMES = {"accuracy": "accuracy", "map": "mAP", "auc": "AUC", "d_prime": "d-prime"}


def orders(networks: Sequence[Network], test_order: Sequence[str]) -> Markup:
    """Rank by validation at the left, by test at the right, a line for each network."""
    rank = {variant: i for i, variant in enumerate(test_order)}
    height = 34 + ROW * len(networks)

    def y(place: int) -> float:
        return 30 + ROW * (place + 0.5)

    parts = [
        svg.text(168, 12, "by validation mAP", "caption", "end"),
        svg.text(272, 12, "by test mAP", "caption"),
    ]
    for i, network in enumerate(networks):
        j = rank[network.variant]
        title = numbers.shorten(network.title, 17)
        before, after = network.validation["map"].value, network.test["map"].value
        weight = "name strong" if i == 0 else "name"
        parts += [
            svg.path([(178, y(i)), (262, y(j))], f"line {svg.hue(i)}", f"{network.title}: {i + 1} → {j + 1}"),
            svg.dot(178, y(i), 5, f"dot {svg.hue(i)}"),
            svg.dot(262, y(j), 5, f"dot {svg.hue(i)}"),
            svg.text(0, y(i) + 4, f"{i + 1}", "tick"),
            svg.text(16, y(i) + 4, title, weight),
            svg.text(168, y(i) + 4, numbers.metric("map", before), "value", "end"),
            svg.text(272, y(j) + 4, numbers.metric("map", after), "value"),
            svg.text(312, y(j) + 4, title, weight),
            svg.text(WIDTH, y(j) + 4, f"{j + 1}", "tick", "end"),
        ]
    told = ", ".join(f"{n.title} {i + 1} then {rank[n.variant] + 1}" for i, n in enumerate(networks))
    return svg.chart(WIDTH, height, f"Rank by validation and by test: {told}", parts)


def _told(metric: str, estimate: Estimate) -> str:
    span = numbers.interval(metric, estimate)
    return numbers.metric(metric, estimate.value) + (f" ({span})" if span else "")
