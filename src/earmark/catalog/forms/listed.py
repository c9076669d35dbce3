"""Clips listed in a CSV, and the list of labels that may lie beside them."""

from __future__ import annotations

from earmark.catalog.claims import Claims
from earmark.catalog.csv import read_csv
from earmark.catalog.forms import Form
from earmark.catalog.root import DataRoot
from earmark.catalog.sheet import Sheet
from earmark.config import DataConfig
from earmark.errors import UserError


def declared_labels(root: DataRoot) -> list[tuple[str, str]] | None:
    """The labels that a CSV in the root with an id and a name column (and no file) lists; None without one.

    Raises:
        UserError: several such lists, or a line without id or name, or with one that is there already.
    """
    lists = [sheet for sheet in (_sheet(root, key) for key in root.csvs) if _is_list(sheet)]
    if not lists:
        return None
    if len(lists) > 1:
        names = " and ".join(sheet.place.rpartition("/")[2] for sheet in lists)
        raise UserError(f"{root.store.uri} has {len(lists)} lists of labels, {names}: keep one of them")
    sheet = lists[0]
    pairs = list(zip(sheet.texts("id"), sheet.texts("name"), strict=True))
    known: set[str] = set()
    for line, (identity, name) in zip(sheet.lines, pairs, strict=True):
        if not identity or not name or known & {identity, name}:
            raise UserError(
                f"{sheet.place} line {line}: ids and names of labels must be there and differ: mend the line"
            )
        known |= {identity, name}
    return pairs


def _recognises(root: DataRoot) -> bool:
    """A CSV was named, or one in the root is of clips, or is no list of labels and so must have been meant."""
    if root.named is not None:
        return root.named.lower().endswith(".csv")
    return any(not _is_list(_sheet(root, key)) for key in root.csvs)


def _read(root: DataRoot, _config: DataConfig) -> Claims:
    """The CSV that was named, else the only one in the root with a file and a label column.

    Raises:
        UserError: CSVs that could all be meant, or CSVs of which none has the needed columns.
    """
    if root.named is not None:
        return read_csv(root, _sheet(root, root.named))
    sheets = {key: _sheet(root, key) for key in root.csvs}
    usable = [key for key, sheet in sheets.items() if sheet.has("file", "label")]
    if len(usable) > 1:
        raise UserError(
            f"{root.store.uri} has {len(usable)} CSVs of clips, {' and '.join(usable)}: "
            f"name the one to use, e.g. {root.place(usable[0])}"
        )
    if usable:
        return read_csv(root, sheets[usable[0]])
    raise next(sheet for sheet in sheets.values() if not _is_list(sheet)).without("file", "label")


def _sheet(root: DataRoot, key: str) -> Sheet:
    if key not in root.sheets:
        root.sheets[key] = Sheet.read(root, key)
    sheet: Sheet = root.sheets[key]
    return sheet


def _is_list(sheet: Sheet) -> bool:
    return sheet.has("id", "name") and not sheet.has("file")


CSV = Form("csv", "a CSV with the columns file and label", _recognises, _read)
