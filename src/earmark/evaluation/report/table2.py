"""Rows of Table 2: this run's networks, each with the paper's row of the same architecture under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from earmark.architectures import PAPER, PAPER_TABLE_2
from earmark.architectures.paper import Table2Row
from earmark.evaluation.report import numbers, svg
from earmark.evaluation.report.data import NOTHING, Network, Report

COLUMNS = ("Steps", "Time", "Weights", "Multiplies", "AUC", "d′", "mAP", "Accuracy")

TRAINING = ("Steps", "Time", "GPU time", "Cost")
"""Columns that tell of training."""


@dataclass(frozen=True)
class Cell:
    """A figure, and its interval in small print."""

    column: str
    figure: str
    span: str = ""
    best: bool = False


@dataclass(frozen=True)
class Row:
    """A line of the table; ``kind`` is ours, paper or failed."""

    kind: str
    title: str
    hue: str = ""
    ranks: str = ""
    cells: Sequence[Cell] = ()
    cause: str = ""


def rows(report: Report) -> list[Row]:
    """Ours in the order of validation, the paper's below each; then what failed."""
    found: list[Row] = []
    seen: set[str] = set()
    best = {
        metric: max((v for n in report.networks if (v := n.test.get(metric, NOTHING).value) is not None), default=None)
        for metric in ("auc", "d_prime", "map", "accuracy")
    }
    for i, network in enumerate(report.networks):
        place = report.test_order.index(network.variant) + 1
        found.append(Row("ours", network.title, svg.hue(i), f"{i + 1} · {place}", _ours(network, report, best)))
        if report.study is None:  # a study has rows of the paper beside its own table
            published = [r for r in PAPER_TABLE_2 if r.name == network.architecture and r.name not in seen]
            found += [_paper(row, report) for row in published]
        seen.add(network.architecture)
    return found + [Row("failed", f.variant, cause=f.cause) for f in report.failures]


def columns(report: Report) -> Sequence[str]:
    """Column heads; accuracy only where a clip has one label, what training took only where it is known."""
    paid = {
        "GPU time": any(n.gpu_seconds is not None for n in report.networks),
        "Cost": any(n.cost is not None for n in report.networks),
    }
    heads = [*COLUMNS[:2], *(name for name, known in paid.items() if known), *COLUMNS[2:]]
    shown = heads if report.single_label else heads[:-1]
    return [head for head in shown if head not in TRAINING] if report.evaluated else shown


def _ours(network: Network, report: Report, best: dict[str, float | None]) -> list[Cell]:
    cells = [
        Cell("Steps", numbers.whole(network.steps)),
        Cell("Time", numbers.duration(network.seconds)),
        Cell("GPU time", numbers.NONE if network.gpu_seconds is None else numbers.duration(network.gpu_seconds)),
        Cell("Cost", numbers.cost(network.cost)),
        Cell("Weights", numbers.compact(network.weights)),
        Cell("Multiplies", numbers.compact(network.multiplies)),
    ]
    for metric, column in zip(("auc", "d_prime", "map", "accuracy"), COLUMNS[4:], strict=True):
        estimate = network.test.get(metric, NOTHING)
        if metric != "accuracy" or report.single_label:
            first = estimate.value is not None and estimate.value == best[metric] and len(report.networks) > 1
            cells.append(
                Cell(column, numbers.metric(metric, estimate.value), numbers.interval(metric, estimate), first)
            )
    shown = columns(report)
    return [cell for cell in cells if cell.column in shown]


def _paper(row: Table2Row, report: Report) -> Row:
    figures = (
        numbers.compact(row.steps),
        f"{row.hours:g}{numbers.THIN}h",
        numbers.compact(PAPER[row.name].weights),
        numbers.compact(PAPER[row.name].multiplies),
        numbers.score(row.auc),
        numbers.score(row.d_prime, 2),
        numbers.score(row.map),
        numbers.NONE,
    )
    title = "the paper" if row.steps == PAPER_TABLE_2[0].steps else "the paper, rate dropped"
    known = dict(zip(COLUMNS, figures, strict=True))
    return Row("paper", title, cells=[Cell(column, known.get(column, numbers.NONE)) for column in columns(report)])
