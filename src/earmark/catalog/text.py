"""The text of a list in the data root, or where it is no UTF-8."""

from __future__ import annotations

import codecs
import io
from typing import TextIO

from earmark.catalog.root import DataRoot
from earmark.errors import UserError

REMEDY = "save it as UTF-8"


def read_text(root: DataRoot, key: str) -> str:
    """The text of a list, without a byte order mark.

    Raises:
        UserError: UTF-16, any other bytes that are no UTF-8 (Latin-1, Windows-1252), or a NUL; names byte and line.
    """
    place, content = root.place(key), root.store.get(key)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(f"{place} line 1 is UTF-16 (its byte order mark is at byte 0): {REMEDY}")
    if (at := content.find(b"\0")) >= 0:
        raise UserError(f"{place} line {_line(content, at)} has a NUL (byte {at}), as UTF-16 has: {REMEDY}")
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line, found = _line(content, error.start), content[error.start : error.start + 1]
        raise UserError(
            f"{place} line {line} is not UTF-8 (byte {error.start} is 0x{found.hex()}, {found.decode('latin-1')!r} in "
            f"Latin-1): {REMEDY}"
        ) from None


def text_lines(text: str) -> TextIO:
    """A text as ``csv.reader`` takes it, with its own line ends; ``StringIO`` would take four bytes a character."""
    return io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8", newline="")


def _line(content: bytes, at: int) -> int:
    return content.count(b"\n", 0, at) + 1
