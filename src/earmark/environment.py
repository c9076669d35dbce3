"""Settings that the environment gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def changed_environment(**values: str) -> Iterator[None]:
    """Some variables of the environment set, and put back."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            os.environ.pop(name, None)
        os.environ.update({name: before[name] for name in values if name in before})
