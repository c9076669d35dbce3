"""UrbanSound8K as published: ``metadata/UrbanSound8K.csv`` and ``audio/fold1`` … ``audio/fold10``.

Each file is a clip, cut already: ``start`` and ``end`` are where it was in the Freesound recording ``fsID``. All clips
of a recording are in one fold, and stay together.
"""

from __future__ import annotations

from earmark.catalog.claims import Claims
from earmark.catalog.forms import Form
from earmark.catalog.forms.rows import Row, find_list, read_rows
from earmark.catalog.root import DataRoot
from earmark.config import DataConfig
from earmark.errors import UserError

LIST = "UrbanSound8K.csv"
COLUMNS = ("slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class")


def _recognises(root: DataRoot) -> bool:
    return root.named is None and find_list(root, LIST) is not None


def _read(root: DataRoot, _config: DataConfig) -> Claims:
    """The clips of the list in the official folds; one without its file is kept for the findings to name.

    Raises:
        UserError: no list, a line that says what cannot be, or none of the files there.
    """
    key = find_list(root, LIST)
    if key is None:
        raise UserError(f"{root.store.uri} has no {LIST}: give the folder that UrbanSound8K was unpacked to")
    rows: dict[str, Row] = {}
    base = key.removesuffix(LIST).removesuffix("metadata/")
    # Some copies have the folds beside the list.
    audio = f"{base}audio/" if any(uri.startswith(f"{base}audio/") for uri in root.audio) else base
    for row in read_rows(root, key, COLUMNS, header=True):
        if not all(_cell(row, name) for name in ("slice_file_name", "fsID", "fold", "class")):
            raise UserError(f"{row.place}: slice_file_name, fsID, fold and class must be there: mend the line")
        uri = f"{audio}fold{_cell(row, 'fold')}/{_cell(row, 'slice_file_name')}"
        if uri in rows:
            raise UserError(f"{row.place}: {uri} is in {rows[uri].place} already: take out one of the lines")
        rows[uri] = row
    if not any(uri in root.audio for uri in rows):
        raise UserError(
            f"none of the {len(rows)} clips in {root.place(key)} is there (the first would be "
            f"{next(iter(rows), '')!r}): put audio/ beside metadata/"
        )
    none: list[None] = [None] * len(rows)
    return Claims(
        source=URBANSOUND8K.name,
        clip_ids=list(rows),
        uris=list(rows),
        labels=[(_cell(row, "class"),) for row in rows.values()],
        starts=[*none],
        ends=[*none],
        splits=[*none],
        folds=[_cell(row, "fold") for row in rows.values()],
        groups=[_cell(row, "fsID") for row in rows.values()],
        places=[row.place for row in rows.values()],
    )


def _cell(row: Row, name: str) -> str:
    return row.cells[COLUMNS.index(name)]


URBANSOUND8K = Form("urbansound8k", f"UrbanSound8K's metadata/{LIST} beside audio/fold1 …", _recognises, _read)
