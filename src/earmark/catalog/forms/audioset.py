"""Audio Set as published: lists of ten-second segments of videos, and whichever of them somebody could get.

A file belongs to a segment if its name is the video's id: ``ID``, ``YID``, or one of these with the segment's start,
or start and end, in seconds or milliseconds (``ID_30.000_40.000``, ``YID_30000``). It is that segment, cut out: the
whole file is the clip. A file whose name gives other times is another part of the video and not taken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from earmark.catalog.claims import NO_FILE, Claims
from earmark.catalog.forms import Form
from earmark.catalog.forms.rows import check_span, find_list, read_rows, split_list
from earmark.catalog.ontology import NO_LABEL, Ontology, find_ontology
from earmark.catalog.root import DataRoot
from earmark.config import DataConfig
from earmark.errors import UserError

LISTS = {
    "balanced_train_segments.csv": "train",
    "unbalanced_train_segments.csv": "train",
    "eval_segments.csv": "test",
}
CLASSES = "class_labels_indices.csv"
REPEATED = "listed before"
YTID = r"[A-Za-z0-9_-]{11}"
NUMBER = r"\d+(?:\.\d+)?"
NAME = re.compile(rf"Y?({YTID})(?:_({NUMBER})(?:_({NUMBER}))?)?")
"""No name can be read in two ways: the id has 11 characters, and no number begins with ``_``."""


@dataclass(frozen=True)
class Labels:
    """What the mids of the lists mean.

    Attributes:
        names: of the mids that are labels, in order; None takes every mid.
        unused: names of mids that are known and no labels: abstract, restricted, or not in the list of classes.
        places: where they are listed, for messages.
    """

    names: Mapping[str, str] | None
    unused: Mapping[str, str]
    places: str


@dataclass(frozen=True)
class Segment:
    """A line of a list."""

    place: str
    split: str
    ytid: str
    times: tuple[float, float]
    mids: tuple[str, ...]


@dataclass
class Found:
    """What has been read of the lists.

    Attributes:
        clips: the segments that are taken, by the key of their file.
        labels: of each of them.
        dropped: segments that are not taken, by reason.
        dropped_labels: clips of each label, by name, that is no label here.
        listed, present: segments of each mid that are listed, and that have a file.
    """

    clips: dict[str, Segment] = field(default_factory=dict)
    labels: list[tuple[str, ...]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    dropped_labels: Counter[str] = field(default_factory=Counter)
    listed: Counter[str] = field(default_factory=Counter)
    present: Counter[str] = field(default_factory=Counter)

    def add(self, segment: Segment, used: tuple[str, ...], uri: str | None, labels: Labels) -> None:
        """Take a segment, or count why not.

        Raises:
            UserError: its file is a clip of another split already.
        """
        self.listed.update(used)
        if uri is not None:
            self.present.update(used)
            self.dropped_labels.update(labels.unused[mid] for mid in segment.mids if mid in labels.unused)
        if segment.mids and not used:
            self.dropped[NO_LABEL] += 1
        elif uri is None:
            self.dropped[NO_FILE] += 1
        elif uri in self.clips:
            _check_repeated(self.clips[uri], segment)
            self.dropped[REPEATED] += 1
        else:
            self.clips[uri] = segment
            self.labels.append(used)


def _lists(root: DataRoot) -> list[str]:
    """Keys of the lists of segments: the one that was named, else all that are there."""
    if root.named is not None:
        return [root.named] if root.named in LISTS else []
    return [key for name in LISTS if (key := find_list(root, name))]


def _read(root: DataRoot, _config: DataConfig) -> Claims:
    """The listed segments that have a file.

    Raises:
        UserError: no list, no segment with a file, or a line that says what cannot be.
    """
    keys = _lists(root)
    if not keys:
        raise UserError(f"{root.store.uri} has none of {', '.join(LISTS)}: put Audio Set's lists of segments there")
    labels = _labels(root, find_ontology(root))
    files = _files(root)
    found = Found()
    for segment in _segments(root, keys):
        found.add(segment, _used(segment, labels), _find(files, segment), labels)
    if not found.clips:
        raise UserError(
            f"none of the segments in {' and '.join(keys)} has a file below {root.store.uri}: name the files ID.wav, "
            "YID.wav or ID_START_END.wav after the video's id"
        )
    names = labels.names if labels.names is not None else {mid: mid for mid in sorted(found.listed)}
    segments = list(found.clips.values())
    none: list[None] = [None] * len(segments)
    one_sided = len({LISTS[key.rpartition("/")[2]] for key in keys}) == 1
    return Claims(
        source=AUDIOSET.name,
        clip_ids=list(found.clips),
        uris=list(found.clips),
        labels=found.labels,
        starts=[*none],
        ends=[*none],
        splits=[*none] if one_sided else [segment.split for segment in segments],
        folds=[*none],
        groups=[segment.ytid for segment in segments],
        declared=list(names.items()),
        dropped=dict(found.dropped),
        coverage={names[mid]: (found.present[mid], found.listed[mid]) for mid in names if found.listed[mid]},
        places=[segment.place for segment in segments],
        dropped_labels=dict(found.dropped_labels),
    )


def _segments(root: DataRoot, keys: list[str]) -> Iterator[Segment]:
    for key in keys:
        split = LISTS[key.rpartition("/")[2]]
        for place, cells in read_rows(root, key, ("YTID", "start_seconds", "end_seconds", "positive_labels")):
            ytid, start, end, mids = cells
            if not re.fullmatch(YTID, ytid):
                raise UserError(f"{place}: {ytid!r} is not the id of a video (11 letters, digits, - and _): mend it")
            yield Segment(place, split, ytid, check_span(place, start, end), split_list(mids))


def _labels(root: DataRoot, ontology: Ontology | None) -> Labels:
    """The mids that are labels: those of the list of classes, else of the ontology, less what the ontology rules out.

    Raises:
        UserError: a line of the list of classes without mid or name, or with one that is there already.
    """
    key = find_list(root, CLASSES)
    known = dict(ontology.names) if ontology else {}
    places = [root.place(key)] if key else []
    if key:
        names: dict[str, str] = {}
        for place, (_, mid, name) in read_rows(root, key, ("index", "mid", "display_name"), header=True):
            if not mid or not name or mid in names or name in names.values():
                raise UserError(f"{place}: mids and names must be there and differ: mend the line")
            names[mid] = name
    elif ontology:
        names = known
    else:
        return Labels(None, {}, "")
    if ontology:
        places.append(ontology.place)
        names = {mid: name for mid, name in names.items() if mid not in ontology.unused}
    return Labels(names, {mid: name for mid, name in known.items() if mid not in names}, " or ".join(places))


def _used(segment: Segment, labels: Labels) -> tuple[str, ...]:
    if labels.names is None:
        return segment.mids
    for mid in segment.mids:
        if mid not in labels.names and mid not in labels.unused:
            raise UserError(f"{segment.place}: the label {mid!r} is not in {labels.places}: mend one of them")
    return tuple(mid for mid in segment.mids if mid in labels.names)


def _files(root: DataRoot) -> dict[str, list[tuple[tuple[str, ...], str]]]:
    """Of each video's id the times in its files' names and their keys, files with the most times first."""
    files: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for key in root.audio:
        stem = key.rpartition("/")[2].rpartition(".")[0]
        match = NAME.fullmatch(stem)
        if match:
            ytid, *times = match.groups()
            files.setdefault(ytid, []).append((tuple(time for time in times if time), key))
    for found in files.values():
        found.sort(key=lambda file: (-len(file[0]), file[1]))
    return files


def _find(files: Mapping[str, list[tuple[tuple[str, ...], str]]], segment: Segment) -> str | None:
    """The segment's file: rather one whose name gives its times than one with the id alone, the first by key."""
    for times, key in files.get(segment.ytid, []):
        if all(
            any(abs(float(time) - unit * seconds) < 1e-6 for unit in (1, 1000))
            for time, seconds in zip(times, segment.times, strict=False)
        ):
            return key
    return None


def _check_repeated(first: Segment, second: Segment) -> None:
    if first.split != second.split:
        raise UserError(
            f"{second.place}: {second.ytid!r} is a clip of {second.split}, and of {first.split} by {first.place}: take "
            "out one of the lines"
        )


AUDIOSET = Form(
    "audioset", f"one or more of Audio Set's lists, {', '.join(LISTS)}", lambda root: bool(_lists(root)), _read
)
