"""Settings that the environment gives."""

from __future__ import annotations

import os

from earmark.errors import UserError


def whole_number(name: str, least: int) -> int | None:
    """The whole number in an environment variable, None where it is not set.

    Raises:
        UserError: it holds something else, or less than ``least``.
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    if not text.isdecimal() or int(text) < least:
        raise UserError(f"the environment variable {name} is {text!r}: set it to a whole number from {least} up")
    return int(text)
