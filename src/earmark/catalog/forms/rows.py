"""CSVs as published data sets have them: comment lines, no header, spaces before quotes; rows that know their line."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from typing import NamedTuple

from earmark.catalog.root import DataRoot
from earmark.catalog.text import read_text, text_lines
from earmark.errors import UserError


class Row(NamedTuple):
    """The stripped cells of a line, and where it stands (``…/vocabulary.csv line 3``)."""

    place: str
    cells: list[str]


def read_rows(root: DataRoot, key: str, columns: tuple[str, ...], header: bool = False) -> Iterator[Row]:
    """The rows of a CSV of the data root; empty lines and lines that begin with ``# `` are passed over.

    Args:
        root: the data root.
        key: of the CSV.
        columns: what each row must hold, in this order.
        header: whether the first row must say these names.

    Raises:
        UserError: not UTF-8, not a CSV, another header, or a row with fewer or more cells; names the line.
    """
    place = root.place(key)
    reader = csv.reader(text_lines(read_text(root, key)), strict=True, skipinitialspace=True)
    awaited = header
    begun = 1
    try:
        for row in reader:
            begun = reader.line_num + 1
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("# "):
                continue
            if awaited:
                _check_header(place, reader.line_num, cells, columns)
                awaited = False
                continue
            if len(cells) != len(columns):
                raise UserError(
                    f"{place} line {reader.line_num} has {len(cells)} cells and needs {len(columns)} "
                    f"({', '.join(columns)}): put commas between cells, and quotes around a cell with commas in it"
                )
            yield Row(f"{place} line {reader.line_num}", cells)
    except csv.Error as error:
        raise UserError(f"{place} line {begun} cannot be read as CSV ({error}): use commas and double quotes") from None


def _check_header(place: str, line: int, cells: list[str], columns: tuple[str, ...]) -> None:
    if cells != list(columns):
        raise UserError(f"{place} line {line} has the columns {', '.join(cells)} and needs {', '.join(columns)}")


def check_span(place: str, start: str, end: str) -> tuple[float, float]:
    """The start and the end of a segment in seconds.

    Raises:
        UserError: no number, below 0, or the start not before the end; names the place.
    """
    start_s, end_s = (_seconds(place, name, text) for name, text in (("start", start), ("end", end)))
    if start_s >= end_s:
        raise UserError(f"{place}: start {start_s:.12g} is not before end {end_s:.12g}: give seconds, the start first")
    return start_s, end_s


def _seconds(place: str, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise UserError(f"{place}: {name} {text!r} is not a number of seconds, 0 or more")
    return value


def split_list(text: str) -> tuple[str, ...]:
    """The entries of a comma-separated cell, without repeats."""
    return tuple(dict.fromkeys(entry for part in text.split(",") if (entry := part.strip())))


def find_list(root: DataRoot, name: str) -> str | None:
    """Key of the only list of this name, or of this end of a path, at any depth; None without one.

    Raises:
        UserError: several.
    """
    keys = sorted(key for key in root.lists if key == name or key.endswith(f"/{name}"))
    if len(keys) > 1:
        raise UserError(f"{root.store.uri} has {len(keys)} files {name}, {' and '.join(keys)}: keep one of them")
    return keys[0] if keys else None
