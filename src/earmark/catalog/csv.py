"""A CSV of clips: file and label(s), and what it may say of split, fold, group, start and end."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence

from earmark.catalog.claims import SPLIT_NAMES, Claims
from earmark.catalog.root import DataRoot
from earmark.catalog.sheet import Sheet
from earmark.errors import UserError, unknown_name


def read_csv(root: DataRoot, sheet: Sheet) -> Claims:
    """What a CSV claims, a clip a row. Labels are separated by ``;``.

    Raises:
        UserError: a needed column is missing, or a row says what cannot be (names the line), or no file is there.
    """
    names: dict[str, str] = {}
    return claim(root, sheet, "csv", [_split_labels(text, names) for text in sheet.texts("label")])


def claim(root: DataRoot, sheet: Sheet, source: str, labels: list[tuple[str, ...]]) -> Claims:
    """What a list of clips claims.

    Args:
        root: the data.
        sheet: the list, a clip a row.
        source: the form of the list.
        labels: of each row.

    Raises:
        UserError: a needed column is missing, or a row says what cannot be (names the line), or no file is there.
    """
    if not sheet.has("file", "label"):
        raise sheet.without("file", "label")
    if not len(sheet):
        raise UserError(f"{sheet.place} has a header and no rows: add a row a clip")
    uris = _resolve(sheet.texts("file"), root)
    if not any(uri in root.audio for uri in uris):
        raise UserError(
            f"none of the {len(uris)} files in {sheet.place} is below {root.store.uri} "
            f"(the first is {uris[0]!r}): put the clips beside the list or in audio/"
        )
    starts, ends = _spans(sheet)
    return Claims(
        source=source,
        clip_ids=_clip_ids(uris, starts, ends, sheet.lines),
        uris=uris,
        labels=labels,
        starts=starts,
        ends=ends,
        splits=_splits(sheet),
        folds=sheet.complete("fold"),
        groups=[text or None for text in sheet.texts("group")],
        places=[f"{sheet.place} line {line}" for line in sheet.lines],
    )


def _split_labels(text: str, names: dict[str, str]) -> tuple[str, ...]:
    """The labels of a cell; one text in memory for each of ``names``."""
    found = dict.fromkeys(label for part in text.split(";") if (label := part.strip()))
    return tuple(names.setdefault(label, label) for label in found)


def _spans(sheet: Sheet) -> tuple[list[float | None], list[float | None]]:
    starts, ends = sheet.seconds("start"), sheet.seconds("end")
    for line, start, end in zip(sheet.lines, starts, ends, strict=True):
        if end is not None and (start or 0.0) >= end:
            raise UserError(
                f"{sheet.place} line {line}: start {start or 0.0:.12g} is not before end {end:.12g}: give seconds, "
                "the start first"
            )
    return starts, ends


def _splits(sheet: Sheet) -> list[str | None]:
    names = sheet.complete("split")
    for line, name in zip(sheet.lines, names, strict=True):
        if name is not None and name.lower() not in SPLIT_NAMES:
            raise unknown_name(f"split in {sheet.place} line {line}:", name, SPLIT_NAMES)
    return [None if name is None else SPLIT_NAMES[name.lower()] for name in names]


def _resolve(files: Sequence[str], root: DataRoot) -> list[str]:
    """Keys of the files: relative to the CSV, else in ``audio/``, else by a name that only one file has."""
    names = Counter(posixpath.basename(key) for key in root.audio)
    unique = {name: key for key in root.audio if names[name := posixpath.basename(key)] == 1}
    base = root.store.uri.rstrip("/") + "/"
    return [_resolve_one(file, root, base, unique) for file in files]


def _resolve_one(file: str, root: DataRoot, base: str, unique: Mapping[str, str]) -> str:
    path = posixpath.normpath(file.replace("\\", "/").removeprefix(base)) if file else ""
    for key in (path, f"audio/{path}"):
        if key in root.audio:
            return root.audio[key].key  # the text that is in memory already
    return unique.get(posixpath.basename(path), path)


def _clip_ids(
    uris: Sequence[str], starts: Sequence[float | None], ends: Sequence[float | None], lines: Sequence[int]
) -> list[str]:
    """Unique ids: path, ``#start-end`` for a segment, ``@line`` where an earlier row says the same."""
    ids: dict[str, None] = {}
    for uri, start, end, line in zip(uris, starts, ends, lines, strict=True):
        clip_id = uri
        if start is not None or end is not None:
            clip_id += f"#{start or 0.0:.12g}-{'' if end is None else f'{end:.12g}'}"
        ids[f"{clip_id}@{line}" if clip_id in ids else clip_id] = None
    return list(ids)
