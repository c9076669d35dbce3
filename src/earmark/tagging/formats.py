"""How tags are written: a table, JSON lines, CSV, or labels for Audacity. Every write is of whole lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from earmark.errors import unknown_name
from earmark.tagging.tagger import Span
from earmark.tagging.tags import Choice, Tag

CSV_COLUMNS = ("file", "what", "start_s", "end_s", "label", "score", "raw_score")
DIGITS = 6
FORMATS = ("table", "jsonl", "csv", "audacity")


class Writer(Protocol):
    """Takes the spans of one file after another."""

    def write(self, file: str, span: Span) -> None:
        """A window, or the clip: the last of its file."""


def open_writer(form: str, stream: TextIO, choice: Choice, model: str) -> Writer:
    """The writer of a format: ``table``, ``jsonl``, ``csv`` or ``audacity``.

    Raises:
        UserError: another format.
    """
    if form not in FORMATS:
        raise unknown_name("format", form, FORMATS)
    if form == "jsonl":
        return JsonLines(stream, choice, model)
    plain: dict[str, Callable[[TextIO, Choice], Writer]] = {"table": Lines, "csv": Csv, "audacity": Audacity}
    return plain[form](stream, choice)


@dataclass
class Lines:
    """A line a span, for people: file, time, labels with scores; the best one in brackets where none is heard."""

    stream: TextIO
    choice: Choice

    def write(self, file: str, span: Span) -> None:
        """One line."""
        tags = self.choice.of(span.tags)
        told = ", ".join(f"{tag.label} {tag.score:.2f}" for tag in tags)
        best = max(span.tags, key=lambda tag: tag.score)
        time = f"{span.start_s:8.2f} – {span.end_s:8.2f} s" if not span.whole else f"{span.end_s:19.2f} s"
        _put(self.stream, f"{file}  {time}  {told or f'– ({best.label} {best.score:.2f})'}\n")


@dataclass
class JsonLines:
    """An object a line and span, for programs."""

    stream: TextIO
    choice: Choice
    model: str

    def write(self, file: str, span: Span) -> None:
        """One line."""
        times = {"seconds": span.end_s} if span.whole else {"start_s": span.start_s, "end_s": span.end_s}
        document = {
            "file": file,
            "what": "clip" if span.whole else "window",
            **times,
            "model": self.model,
            "tags": [_values(tag) for tag in self.choice.of(span.tags)],
        }
        _put(self.stream, json.dumps(document, ensure_ascii=False) + "\n")


@dataclass
class Csv:
    """A row a label and span, after one row of names."""

    stream: TextIO
    choice: Choice
    _begun: bool = False

    def write(self, file: str, span: Span) -> None:
        """As many rows as labels are told."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not self._begun:
            writer.writerow(CSV_COLUMNS)
            self._begun = True
        what = "clip" if span.whole else "window"
        for tag in self.choice.of(span.tags):
            scores = (f"{tag.score:.{DIGITS}f}", f"{tag.raw_score:.{DIGITS}f}")
            writer.writerow((file, what, f"{span.start_s:.3f}", f"{span.end_s:.3f}", tag.label, *scores))
        _put(self.stream, text.getvalue())


@dataclass
class Audacity:
    """A label track: start, end, label; neighbouring windows in which a label is told are one line."""

    stream: TextIO
    choice: Choice
    _open: dict[str, tuple[float, float]] = field(default_factory=dict)

    def write(self, file: str, span: Span) -> None:  # noqa: ARG002  (a track is of one file)
        """What ends before this window; at the clip's end, all that is left."""
        heard = [] if span.whole else [tag.label for tag in self.choice.of(span.tags)]
        ended = [label for label, (_, end_s) in self._open.items() if span.whole or end_s < span.start_s]
        _put(self.stream, "".join(self._line(label) for label in sorted(ended, key=lambda one: self._open[one])))
        for label in ended:
            del self._open[label]
        for label in heard:
            start_s, _ = self._open.get(label, (span.start_s, 0.0))
            self._open[label] = (start_s, span.end_s)

    def _line(self, label: str) -> str:
        start_s, end_s = self._open[label]
        return f"{start_s:.6f}\t{end_s:.6f}\t{' '.join(label.split())}\n"


def _values(tag: Tag) -> dict[str, object]:
    numbers = {"score": tag.score, "raw_score": tag.raw_score, "threshold": tag.threshold}
    return {"label": tag.label, **{name: round(value, DIGITS) for name, value in numbers.items()}, "heard": tag.heard}


def _put(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()
