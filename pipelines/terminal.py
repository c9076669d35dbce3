"""What people see: bars on a terminal, lines elsewhere, tables at the end. Progress goes to standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

LINE_EVERY_SECONDS = 10.0


class Terminal:
    """Follows a run: one bar a step on a terminal, a line every few seconds where there is none."""

    def __init__(self) -> None:
        # Where there is no terminal there is no width to wrap at: a line of a log stays one line.
        self.console = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 1000)
        self.done: list[str] = []
        self.reused: list[str] = []
        self._told: dict[str, float] = {}
        self._tasks: dict[str, TaskID] = {}
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[facts]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._bars.start()

    def event(self, event: Mapping[str, Any]) -> None:
        """Show one event of a step."""
        show = {"progress": self._progress, "note": self._note, "done": self._done}.get(event["earmark"])
        if show is not None:
            show(event["step"], event)

    def clear(self, step: str) -> None:
        """Take a step's bar away, whatever became of it."""
        if step in self._tasks:
            self._bars.remove_task(self._tasks.pop(step))

    def close(self) -> None:
        """Take the bars away."""
        self._bars.stop()

    def _progress(self, step: str, event: Mapping[str, Any]) -> None:
        facts = "  ".join(_fact(name, value) for name, value in event["facts"].items())
        if self.console.is_terminal:
            if step not in self._tasks:
                self._tasks[step] = self._bars.add_task(step, total=event["total"], facts="")
            self._bars.update(self._tasks[step], completed=event["done"], total=event["total"], facts=facts)
        elif time.monotonic() - self._told.setdefault(step, time.monotonic()) > LINE_EVERY_SECONDS:
            self._told[step] = time.monotonic()
            left = event.get("eta_seconds")
            eta = f", {left:.0f} s left" if left else ""
            self.console.print(f"  {step}: {event['done']}/{event['total']} {event['unit']}{eta}  {facts}")

    def _note(self, step: str, event: Mapping[str, Any]) -> None:
        self.console.print(f"  {step}: {event['message']}", markup=False)

    def _done(self, step: str, event: Mapping[str, Any]) -> None:
        self.clear(step)
        self.done.append(step)
        if event.get("failed"):
            self.console.print(f"[red]✗[/] {step} failed: {event['failed']}", markup=True)
            return
        if event["reused"]:
            self.reused.append(step)
        how = "was done already" if event["reused"] else f"{event['seconds']:.1f} s"
        self.console.print(f"[green]✓[/] {step}  [dim]{how}[/]")


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, wrapped: Sequence[str] = ()
) -> None:
    """A table on standard output; the first ``left`` columns are text, the others numbers; some may break lines."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(
            column, justify="left" if number < left else "right", no_wrap=number < left and column not in wrapped
        )
    for row in rows:
        table.add_row(*row)
    # A pipe has no width of its own; tables of this program fit into this one.
    Console(highlight=False, width=None if sys.stdout.isatty() else 140).print(table)


def counted(count: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def comparison_rows(networks: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The networks of a comparison as table rows, in their order."""
    return [
        [
            network["name"],
            f"{network['steps']:,}",
            f"{network['seconds']:,.0f}",
            f"{network['weights'] / 1e6:.2f} M",
            f"{network['multiplies'] / 1e6:,.0f} M",
            _number(network.get("auc"), 3),
            _number(network.get("d_prime"), 2),
            _number(network.get("map"), 3),
            _accuracy(network),
            _number(network["validation"].get("map"), 3),
        ]
        for network in networks
    ]


COMPARISON_COLUMNS = (
    "network", "steps", "seconds", "weights", "multiplies", "AUC", "d-prime", "mAP", "accuracy", "validation mAP",
)  # fmt: skip


def _accuracy(network: Mapping[str, Any]) -> str:
    value = network.get("accuracy")
    if value is None:
        return "–"
    low, high = network.get("accuracy_low"), network.get("accuracy_high")
    interval = f" [{low:.0%}–{high:.0%}]" if low is not None and high is not None else ""
    return f"{value:.1%}{interval}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _fact(name: str, value: float | str) -> str:
    """``patches_per_s``, 412.3 as "patches/s 412"; shares in percent."""
    words = name.replace("_per_", "/").replace("_", " ")
    if name.endswith("_share") and isinstance(value, float):
        return f"{words.removesuffix(' share')} {value:.1%}"
    return f"{words} {value:.3g}" if isinstance(value, float) else f"{words} {value}"
