"""BirdCLEF's training data as published: ``train_metadata.csv`` (or ``train.csv``) and ``train_audio/<species>/*.ogg``.

The recordings of an author are a group: recordists publish series of one bird, with one microphone at one place, and a
network that knows these from training would be scored too well. A recording without author is a group of its own.
"""

from __future__ import annotations

import ast

from earmark.catalog.claims import Claims
from earmark.catalog.forms import Form
from earmark.catalog.root import DataRoot
from earmark.catalog.sheet import Sheet
from earmark.config import DataConfig
from earmark.errors import UserError

LISTS = ("train_metadata.csv", "train.csv")
TAXONOMY = "taxonomy.csv"
FOLDERS = ("train_audio", "train_short_audio")
COLUMNS = {
    "file": ("filename",),
    "label": ("primary_label",),
    "others": ("secondary_labels",),
    "group": ("author",),
}
NAMES = {"id": ("primary_label",), "name": ("common_name", "scientific_name")}


def _recognises(root: DataRoot) -> bool:
    return root.named is None and any(_is_list(root, key) for key in LISTS if key in root.lists)


def _is_list(root: DataRoot, key: str) -> bool:
    return b"primary_label" in root.store.part(key, 0, 4096).split(b"\n")[0]


def _read(root: DataRoot, _config: DataConfig) -> Claims:
    """The recordings of the list, with the species in the background as labels too.

    Raises:
        UserError: no list, a line that says what cannot be, or none of the recordings there.
    """
    key = next((key for key in LISTS if key in root.lists), None)
    if key is None:
        raise UserError(f"{root.store.uri} has no {LISTS[0]} and no {LISTS[1]}: put it beside {FOLDERS[0]}/")
    sheet = Sheet.read(root, key, COLUMNS)
    if not sheet.has("file", "label"):
        raise sheet.without("file", "label")
    uris: dict[str, str] = {}
    labels: list[tuple[str, ...]] = []
    columns = (sheet.texts(name) for name in ("file", "label", "others"))
    for line, file, label, others in zip(sheet.lines, *columns, strict=True):
        place = f"{sheet.place} line {line}"
        if not file or not label:
            raise UserError(f"{place}: filename and primary_label must be there: mend the line")
        uri = _find(root, file, label)
        if uri in uris:
            raise UserError(f"{place}: {file!r} is in {uris[uri]} already: take out one of the lines")
        uris[uri] = place
        labels.append(tuple(dict.fromkeys((label, *_parse_list(place, others)))))
    if not any(uri in root.audio for uri in uris):
        raise UserError(
            f"none of the {len(uris)} recordings in {sheet.place} is below {root.store.uri} "
            f"(the first is {next(iter(uris), '')!r}): put {FOLDERS[0]}/ beside the list"
        )
    none: list[None] = [None] * len(uris)
    return Claims(
        source=BIRDCLEF.name,
        clip_ids=list(uris),
        uris=list(uris),
        labels=labels,
        starts=[*none],
        ends=[*none],
        splits=[*none],
        folds=[*none],
        groups=[author or None for author in sheet.texts("group")],
        declared=_names(root),
        places=list(uris.values()),
    )


def _find(root: DataRoot, file: str, label: str) -> str:
    """Key of a recording: ``<species>/XC1.ogg`` in the later years' lists, ``XC1.ogg`` in the earlier ones."""
    keys = [f"{folder}/{name}" for folder in FOLDERS for name in (file, f"{label}/{file}")]
    return next((key for key in keys if key in root.audio), keys[0])


def _parse_list(place: str, text: str) -> list[str]:
    """The species of a cell such as ``['amered', 'bkcchi']``; ``['']`` is none."""
    if not text:
        return []
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(label, str) for label in found):
        raise UserError(f"{place}: secondary_labels is {text[:60]!r}: write a list such as ['amered', 'bkcchi']")
    return [label.strip() for label in found if label.strip()]


def _names(root: DataRoot) -> list[tuple[str, str]] | None:
    """Code and name of every species that the taxonomy lists, None without one; a name that comes twice is not used."""
    if TAXONOMY not in root.lists:
        return None
    sheet = Sheet.read(root, TAXONOMY, NAMES)
    if not sheet.has("id", "name"):
        raise sheet.without("id", "name")
    names: dict[str, str] = {}
    for line, label, name in zip(sheet.lines, sheet.texts("id"), sheet.texts("name"), strict=True):
        if not label or label in names:
            raise UserError(f"{sheet.place} line {line}: primary_label must be there and once: mend the line")
        names[label] = label if not name or name in names.values() else name
    return list(names.items())


BIRDCLEF = Form("birdclef", "BirdCLEF's train_metadata.csv or train.csv beside train_audio/", _recognises, _read)
