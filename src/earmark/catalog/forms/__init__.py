"""Data sets in the forms in which they are published, one file each: recognised by their layout, read into claims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from earmark.catalog.claims import Claims
from earmark.catalog.root import DataRoot
from earmark.config import DataConfig


@dataclass(frozen=True)
class Form:
    """One form of a data set.

    Attributes:
        name: what ``data.form`` calls it.
        about: in a line, what it is known by.
        recognises: whether a data root has this form; only its listing is looked at, and beginnings of its lists.
        read: what it claims. Raises a ``UserError`` that names file and line for what cannot be.
    """

    name: str
    about: str
    recognises: Callable[[DataRoot], bool]
    read: Callable[[DataRoot, DataConfig], Claims]
