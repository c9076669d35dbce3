"""ESC-50 and ESC-10 as published: ``meta/esc50.csv`` beside ``audio/``, and what the names of their files tell.

Names are ``fold-source-take[-target].ext``. Clips of one source must not be split apart.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import PurePosixPath

from earmark.catalog.claims import NO_FILE, Claims
from earmark.catalog.forms import Form
from earmark.catalog.forms.rows import Row, find_list, read_rows
from earmark.catalog.root import DataRoot
from earmark.config import DataConfig
from earmark.errors import UserError

META = "meta/esc50.csv"
COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file", "take")
NOT_ESC10 = "not in ESC-10"
NAME = re.compile(r"(?P<fold>\d+)-(?P<source>\d+)-[A-Z](-\d+)?\.\w+")


def fill_from_names(claims: Claims) -> Claims:
    """The claims with group and fold taken from the files' names, where all names match and the data gives none."""
    found = [NAME.fullmatch(PurePosixPath(uri).name) for uri in claims.uris]
    matches = [match for match in found if match]
    if len(matches) < len(found):
        return claims
    if not any(claims.groups):
        claims = replace(claims, groups=[match["source"] for match in matches])
    if not any(claims.folds) and not any(claims.splits):
        claims = replace(claims, folds=[match["fold"] for match in matches])
    return claims


def _recognises_50(root: DataRoot) -> bool:
    return root.named is None and find_list(root, META) is not None


def _recognises_10(root: DataRoot) -> bool:
    """The files that are there are all of ESC-10."""
    if not _recognises_50(root):
        return False
    there = [esc10 for uri, _, esc10 in _listed(root) if uri in root.audio]
    return bool(there) and all(there)


def _listed(root: DataRoot) -> list[tuple[str, Row, bool]]:
    """Key of the file, row, and whether ESC-10 has it, of every line of the list.

    Raises:
        UserError: no list, or a line that says what cannot be.
    """
    key = find_list(root, META)
    if key is None:
        raise UserError(f"{root.store.uri} has no {META}: give the folder that ESC-50 was unpacked to")
    listed: dict[str, tuple[str, Row, bool]] = {}
    for row in read_rows(root, key, COLUMNS, header=True):
        file, fold, _, category, esc10, source, _ = row.cells
        if not file or not fold or not category or not source:
            raise UserError(f"{row.place}: filename, fold, category and src_file must be there: mend the line")
        if esc10 not in ("True", "False"):
            raise UserError(f"{row.place}: esc10 is {esc10!r}: write True or False")
        uri = f"{key.removesuffix(META)}audio/{file}"
        if uri in listed:
            raise UserError(f"{row.place}: {file!r} is in {listed[uri][1].place} already: take out one of the lines")
        listed[uri] = uri, row, esc10 == "True"
    return list(listed.values())


def _read_50(root: DataRoot, _config: DataConfig) -> Claims:
    return _claims(ESC50.name, root, _listed(root))


def _read_10(root: DataRoot, _config: DataConfig) -> Claims:
    listed = _listed(root)
    wanted = [entry for entry in listed if entry[2]]
    claims = _claims(ESC10.name, root, wanted)
    left = len(listed) - len(wanted)
    return replace(claims, dropped={**claims.dropped, NOT_ESC10: left}) if left else claims


def _claims(name: str, root: DataRoot, listed: list[tuple[str, Row, bool]]) -> Claims:
    """What is listed and there: its folds as published, its sources as groups.

    Raises:
        UserError: nothing of it is there.
    """
    there = [(uri, row) for uri, row, _ in listed if uri in root.audio]
    if not there:
        raise UserError(
            f"none of the {len(listed)} clips in {META} is in audio/ below {root.store.uri}: put them there"
        )
    all_of = Counter(row.cells[3] for _, row, _ in listed)
    here = Counter(row.cells[3] for _, row in there)
    missing = len(listed) - len(there)
    none: list[None] = [None] * len(there)
    return Claims(
        source=name,
        clip_ids=[uri for uri, _ in there],
        uris=[uri for uri, _ in there],
        labels=[(row.cells[3],) for _, row in there],
        starts=[*none],
        ends=[*none],
        splits=[*none],
        folds=[row.cells[1] for _, row in there],
        groups=[row.cells[5] for _, row in there],
        dropped={NO_FILE: missing} if missing else {},
        coverage={label: (here[label], all_of[label]) for label in sorted(all_of)},
        places=[row.place for _, row in there],
    )


ESC50 = Form("esc50", f"ESC-50's {META} beside audio/", _recognises_50, _read_50)
ESC10 = Form("esc10", f"the clips of ESC-50's {META} that ESC-10 has", _recognises_10, _read_10)
