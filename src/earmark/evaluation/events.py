"""When the labels of a clip can be heard: the true times of a made corpus, where its data root tells them."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from earmark.store import Store
from earmark.store.base import MissingObject

EVENTS = "events.csv"
COLUMNS = frozenset({"scene", "label", "start_s", "end_s"})

Span = tuple[float, float]
"""Start and end of an event, in seconds."""
Spans = Mapping[str, Sequence[Span]]
"""The events of each label."""


def read_events(root: Store) -> dict[str, dict[str, list[Span]]]:
    """The events of each scene, by its file's path, from ``events.csv`` in the data root.

    An event may have several labels, with ``;`` between them. Empty where there is no such file, or where it is no list
    of events: another's file may have that name.
    """
    try:
        text = root.get(EVENTS).decode("utf-8-sig")
        rows = csv.DictReader(io.StringIO(text))
        if not set(rows.fieldnames or ()) >= COLUMNS:
            return {}
        scenes: dict[str, dict[str, list[Span]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            span = float(row["start_s"]), float(row["end_s"])
            for label in row["label"].split(";"):
                scenes[row["scene"]][label].append(span)
    except (MissingObject, UnicodeDecodeError, ValueError, TypeError, AttributeError):
        return {}
    return {scene: dict(labels) for scene, labels in scenes.items()}


def spans_of(events: Mapping[str, Spans], uri: str, start_s: float, seconds: float) -> dict[str, list[Span]]:
    """The events in a part of a file, in seconds from the part's start.

    Args:
        events: as read.
        uri: of the file below the root; a scene may be named by it, by its file name, or that without suffix.
        start_s: where the part begins in the file.
        seconds: how long it is.
    """
    path = PurePosixPath(uri)
    scene = next((name for name in (uri, path.name, path.stem) if name in events), None)
    found: dict[str, list[Span]] = {}
    for label, spans in events[scene].items() if scene is not None else ():
        cut = [(max(0.0, a - start_s), min(seconds, b - start_s)) for a, b in sorted(spans)]
        if kept := [(a, b) for a, b in cut if a < b]:
            found[label] = kept
    return found
