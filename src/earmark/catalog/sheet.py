"""A CSV as columns of text that know their line numbers, for errors that name the line."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from earmark.catalog.root import DataRoot
from earmark.catalog.text import read_text, text_lines
from earmark.errors import UserError

Aliases = Mapping[str, Sequence[str]]
ALIASES: Aliases = {
    "file": ("file", "filename", "path", "fname", "clip"),
    "label": ("label", "labels", "category", "class"),
    "split": ("split",),
    "fold": ("fold",),
    "group": ("group", "src_file"),
    "start": ("start", "start_s", "start_seconds"),
    "end": ("end", "end_s", "end_seconds"),
    "id": ("id", "mid"),
    "name": ("name", "display_name"),
}
"""Our name for a column, and the names under which it is found; case does not matter, the first that is there wins."""
OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may stand where commas should. Not guessed: ``;`` is also what separates the labels of a cell."""


MOST_TOLD = 1000
"""Characters of a header in a message: what is no CSV has one of any length."""


@dataclass(frozen=True)
class Sheet:
    """The known columns of a CSV.

    Attributes:
        place: where it lies, for messages.
        header: the columns as the file names them.
        lines: line number of each row.
        columns: stripped text of each row, by our name for the column.
        aliases: our names for columns, and the names under which they are found.
    """

    place: str
    header: list[str]
    lines: list[int]
    columns: dict[str, list[str]]
    aliases: Aliases = field(default_factory=lambda: ALIASES)

    @staticmethod
    def read(root: DataRoot, key: str, aliases: Aliases = ALIASES) -> Sheet:
        """Read a CSV of the data root.

        Args:
            root: the data.
            key: of the CSV.
            aliases: our names for its columns, and the names under which they are found.

        Raises:
            UserError: not UTF-8, not a CSV, another delimiter than the comma, or a row with too few or too many cells;
                names the line.
        """
        place = root.place(key)
        text = read_text(root, key)
        _check_delimiter(place, text, aliases)
        rows = _parse(place, text)
        _, first = next(rows, (0, []))
        header = [cell.strip() for cell in first]
        where = positions(header, aliases)
        width = max(where.values(), default=-1) + 1
        lines: list[int] = []
        columns: dict[str, list[str]] = {name: [] for name in where}
        wanted = [(columns[name], at) for name, at in where.items()]
        for line, row in rows:
            if len(row) < width:
                raise UserError(f"{place} line {line} has {len(row)} of {len(header)} cells: mend the line")
            if len(row) > len(header) and any(cell.strip() for cell in row[len(header) :]):
                raise UserError(
                    f"{place} line {line} has {len(row)} cells and the header {len(header)}: "
                    "put double quotes around a cell with a comma in it"
                )
            lines.append(line)
            for cells, at in wanted:
                cells.append(row[at].strip())
        return Sheet(place, header, lines, columns, aliases)

    def has(self, *names: str) -> bool:
        """Whether all these columns are there."""
        return all(name in self.columns for name in names)

    def __len__(self) -> int:
        return len(self.lines)

    def texts(self, name: str) -> list[str]:
        """A column, empty texts where the file has none."""
        return self.columns.get(name) or [""] * len(self)

    def complete(self, name: str) -> list[str | None]:
        """A column that says something in every row, or in none.

        Raises:
            UserError: in some rows only; names the first line without.
        """
        texts = self.texts(name)
        if not any(texts):
            return [None] * len(self)
        if "" in texts:
            line = self.lines[texts.index("")]
            raise UserError(f"{self.place} line {line} has no {name} where other lines have one: fill it in")
        return list(texts)

    def seconds(self, name: str) -> list[float | None]:
        """A column of seconds, None where it is empty.

        Raises:
            UserError: not a finite number from 0 on; names the line.
        """
        return [self._seconds(name, line, text) for line, text in zip(self.lines, self.texts(name), strict=True)]

    def _seconds(self, name: str, line: int, text: str) -> float | None:
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value < math.inf:
            raise UserError(f"{self.place} line {line}: {name} {text!r} is not a number of seconds, 0 or more")
        return value

    def without(self, *needed: str) -> UserError:
        """The error for columns that are needed and not there; names those that are."""
        named = " and ".join(_named(self.aliases[name]) for name in needed if name not in self.columns)
        has = f"the columns {', '.join(self.header)[:MOST_TOLD]}" if self.header else "no columns"
        return UserError(f"{self.place} has {has} and needs {named}: rename or add the column")


def _named(aliases: Sequence[str]) -> str:
    return f"{aliases[0]} (or {', '.join(aliases[1:])})" if len(aliases) > 1 else aliases[0]


def positions(header: Sequence[str], aliases: Aliases = ALIASES) -> dict[str, int]:
    """Where the known columns are, by our names for them."""
    at = {name.lower(): place for place, name in reversed(list(enumerate(header)))}
    found = {ours: [at[alias] for alias in names if alias in at] for ours, names in aliases.items()}
    return {ours: places[0] for ours, places in found.items() if places}


def _parse(place: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Number of the last line, and cells, of each row with something in it."""
    reader = csv.reader(text_lines(text), strict=True)
    begun = 1
    try:
        for row in reader:
            begun = reader.line_num + 1
            if "".join(row).strip():
                yield reader.line_num, row
    except csv.Error as error:
        raise UserError(f"{place} line {begun} cannot be read as CSV ({error}): use commas and double quotes") from None


def _check_delimiter(place: str, text: str, aliases: Aliases) -> None:
    """Refuse a table in whose first line only another delimiter than the comma brings out a known column."""
    found = re.search(r"[^\n]*\S[^\n]*", text)
    line, header = (text.count("\n", 0, found.start()) + 1, found[0]) if found else (1, "")
    cells = {by: [cell.strip().strip('"') for cell in header.split(by)] for by in (",", *OTHER_DELIMITERS)}
    if positions(cells[","], aliases):
        return
    for delimiter, name in OTHER_DELIMITERS.items():
        if len(cells[delimiter]) > 1 and positions(cells[delimiter], aliases):
            raise UserError(
                f"{place} line {line} separates its columns by {name} ({delimiter!r}): save it with commas between them"
            )
