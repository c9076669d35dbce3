"""A step's log in a pod, as the events that a run on this machine tells (see ``earmark.progress``)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

LINE = re.compile(r"(?P<step>[a-z][a-z0-9_]*(?:/[\w.-]+)?): (?P<text>.+)")
PROGRESS = re.compile(
    r"(?P<done>\d+)/(?P<total>\d+) (?P<unit>\S+), [\d.]+ \S+/s(?:, (?P<eta>\d+) s left)?(?: (?P<facts>.*))?"
)
DONE = re.compile(r"done seconds=(?P<seconds>[\d.]+) reused=(?P<reused>True|False) failed=(?P<failed>.*)")
ERROR = re.compile(r"error message=(?P<message>.*) exit_code=(?P<exit_code>\d+)")
NOISE = re.compile(r"time=\S+ level=|[IWEF]\d{4} \d\d:\d\d:\d\d|\s*$")
"""What Kubeflow and Argo write into a step's log."""


class Reader:
    """Reads a log that grows, each line once."""

    def __init__(self) -> None:
        self._last = ""
        self.tail: list[str] = []
        """The last lines that the step itself wrote."""
        self.failed = False
        """Whether the step told its error."""

    def read(self, stamped: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The events in lines that are new, each after the time that it was written."""
        for line in stamped:
            stamp, _, text = line.partition(" ")
            if stamp <= self._last:
                continue
            self._last = stamp
            if NOISE.match(text):
                continue
            self.tail = [*self.tail[-19:], text]
            event = event_of(text)
            if event is not None:
                self.failed |= event["earmark"] == "error"
                yield event


def event_of(text: str) -> dict[str, Any] | None:
    """The event in a line of a step's log, None where it is something else."""
    line = LINE.fullmatch(text.strip())
    if line is None:
        return None
    step, said = line["step"], line["text"]
    if found := PROGRESS.fullmatch(said):
        facts = dict(fact.split("=", 1) for fact in (found["facts"] or "").split() if "=" in fact)
        event = {"earmark": "progress", "done": int(found["done"]), "total": int(found["total"])}
        return {**event, "step": step, "unit": found["unit"], "eta_seconds": _number(found["eta"]), "facts": facts}
    if found := DONE.fullmatch(said):
        failed = None if found["failed"] == "None" else found["failed"]
        event = {"earmark": "done", "step": step, "seconds": float(found["seconds"])}
        return {**event, "reused": found["reused"] == "True", "failed": failed}
    if found := ERROR.fullmatch(said):
        return {"earmark": "error", "step": step, "message": found["message"], "exit_code": int(found["exit_code"])}
    if said == "started":
        return {"earmark": "started", "step": step}
    return {"earmark": "note", "step": step, "message": said}


def _number(text: str | None) -> float | None:
    return float(text) if text else None
