"""What people can get wrong, and how it is said: one line, the thing, the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EarmarkError(Exception):
    """A failure with a cause that can be told in one line; the command exits with 1."""

    exit_code = 1


class UserError(EarmarkError, ValueError):
    """Something the user can mend; the message names the field and the remedy; the command exits with 2."""

    exit_code = 2


def unknown_name(what: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not known, with the nearest one that is."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return UserError(f"unknown {what} {name!r}{hint} (known: {', '.join(names)})")
