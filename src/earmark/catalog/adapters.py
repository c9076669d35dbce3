"""Chooses the adapter for a data root, and reads the labels that the data declares."""

from __future__ import annotations

from earmark.catalog.claims import Claims
from earmark.catalog.csv import read_csv
from earmark.catalog.esc import fill_from_names
from earmark.catalog.folders import read_folders
from earmark.catalog.root import DataRoot
from earmark.catalog.sheet import Sheet
from earmark.errors import UserError


def read_claims(root: DataRoot) -> tuple[Claims, list[tuple[str, str]] | None]:
    """What the data claims, and its declared labels as (id, name) in the order of their list, None without a list.

    The clips come from the CSV that was named, else from the only CSV in the root with a file and a label column,
    else from the folders. A list of labels is a CSV in the root with an id and a name column and no file column.

    Raises:
        UserError: CSVs that could all be meant, or CSVs of which none has the needed columns.
    """
    sheets = {info.key: Sheet.read(root, info.key) for info in root.csvs}
    lists = [key for key, sheet in sheets.items() if sheet.has("id", "name") and not sheet.has("file")]
    usable = [key for key, sheet in sheets.items() if sheet.has("file", "label")]
    if root.named_csv is not None:
        claims = read_csv(root, sheets[root.named_csv])
    elif len(usable) == 1:
        claims = read_csv(root, sheets[usable[0]])
    elif usable:
        raise UserError(
            f"{root.store.uri} has {len(usable)} CSVs of clips, {' and '.join(usable)}: "
            f"name the one to use, e.g. {root.place(usable[0])}"
        )
    elif others := [sheet for key, sheet in sheets.items() if key not in lists]:
        raise others[0].without("file", "label")
    else:
        claims = read_folders(root.audio)
    return fill_from_names(claims), _declared(root, sheets, lists)


def _declared(root: DataRoot, sheets: dict[str, Sheet], lists: list[str]) -> list[tuple[str, str]] | None:
    if not lists:
        return None
    if len(lists) > 1:
        raise UserError(f"{root.store.uri} has {len(lists)} lists of labels, {' and '.join(lists)}: keep one of them")
    sheet = sheets[lists[0]]
    pairs = list(zip(sheet.texts("id"), sheet.texts("name"), strict=True))
    known: set[str] = set()
    for line, (identity, name) in zip(sheet.lines, pairs, strict=True):
        if not identity or not name or known & {identity, name}:
            raise UserError(
                f"{sheet.place} line {line}: ids and names of labels must be there and differ: mend the line"
            )
        known |= {identity, name}
    return pairs
