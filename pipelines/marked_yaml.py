"""YAML files whose errors name file, line, field and remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from earmark.errors import UserError, unknown_name

T = TypeVar("T", bound=BaseModel)
MOST_FIELDS = 100_000
"""Aliases written out: a few lines of aliases to aliases are billions of fields."""
UNREADABLE = (ValueError, LookupError, TypeError, RecursionError)
"""What PyYAML raises besides its own errors: at dates and numbers that there are not, and at no end of brackets."""
Place = tuple[str, ...]
"""A field's way from the root, list positions as digits: ``("profiles", "train", "tolerations", "0", "key")``."""


@dataclass(frozen=True)
class Marked:
    """A file's values, and the line of each field."""

    path: Path
    values: Any
    lines: Mapping[Place, int] = field(default_factory=dict)

    def line(self, place: Sequence[str]) -> int:
        """The line of a field, or of the nearest field around it."""
        known = (self.lines.get(tuple(place[:length])) for length in range(len(place), -1, -1))
        return next((line for line in known if line is not None), 1)

    def error(self, place: Sequence[str], message: str) -> UserError:
        """What is wrong with a field, with its file and line."""
        return UserError(f"{self.path}, line {self.line(place)}: {shown(place)}{message}")


def read_marked(path: Path) -> Marked:
    """The values of a YAML file with the lines they stand in.

    Raises:
        UserError: no such file, not YAML, or a key that is there twice.
    """
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        lines: dict[Place, int] = {}
        if node is not None:
            _walk(path, node, (), lines, frozenset())
        return Marked(path, loader.construct_document(node) if node is not None else None, lines)
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text in UTF-8: it must be YAML") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise UserError(f"{path}{where}: this is not YAML: {getattr(error, 'problem', None) or error}") from None
    except UNREADABLE as error:
        raise UserError(f"{path} cannot be read as YAML ({error}): mend it") from None


def validate(kind: type[T], marked: Marked, values: Any, origin: Callable[[Place], Place] = lambda place: place) -> T:
    """Values of a file as a checked tree.

    Args:
        kind: the tree's root.
        marked: the file.
        values: what of it is checked, after whatever was filled in.
        origin: where in the file a field of ``values`` comes from.

    Raises:
        UserError: the first thing that is wrong, with file, line, field and remedy.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{marked.path} must hold keys and values")
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
    place = origin(tuple(str(part) for part in first["loc"] if part != "[key]"))
    if first["type"] == "extra_forbidden":
        unknown = unknown_name("field", place[-1], _fields(kind, place[:-1]))
        raise UserError(f"{marked.path}, line {marked.line(place)}: {shown(place[:-1])}{unknown}")
    if first["type"] == "literal_error" and "[key]" in first["loc"]:
        known = re.findall(r"'([^']*)'", first["ctx"]["expected"])
        raise UserError(
            f"{marked.path}, line {marked.line(place)}: {shown(place[:-1])}{unknown_name('name', place[-1], known)}"
        )
    raise marked.error(place, _reason(first))


def shown(place: Sequence[str]) -> str:
    """``profiles.train.tolerations[0].key: `` for messages; nothing for the root."""
    text = "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in place).lstrip(".")
    return f"{text}: " if text else ""


def _reason(error: Any) -> str:
    kind, got = error["type"], error.get("input")
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "missing":
        return "is missing: give it"
    if kind == "string_type" and not isinstance(got, Mapping | list | None):
        return f"{str(got).lower() if isinstance(got, bool) else got} must be text: put it in quotes"
    if kind in ("model_type", "dict_type"):
        return f"must hold names and values (got {got!r})"
    if kind == "tuple_type":
        return f"must be a list (got {got!r})"
    told = str(error["msg"]).replace("Input should be", "must be")
    return f"{told[0].lower()}{told[1:]} (got {got!r})"


def _walk(path: Path, node: yaml.Node, place: Place, lines: dict[Place, int], above: frozenset[int]) -> None:
    """Note the line of each field; an alias to something around itself has no end and is refused."""
    if id(node) in above:
        raise UserError(f"{path}, line {node.start_mark.line + 1}: an alias names what it stands in: write it out")
    lines.setdefault(place, node.start_mark.line + 1)
    if len(lines) > MOST_FIELDS:
        raise UserError(f"{path} has more than {MOST_FIELDS} fields, its aliases written out: make it smaller")
    inside = above | {id(node)}
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            _walk(path, item, (*place, str(number)), lines, inside)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise UserError(f"{path}, line {key.start_mark.line + 1}: a field's name must be text")
            name = str(key.value)
            here, line = (*place, name), key.start_mark.line + 1
            if here in lines:
                raise UserError(
                    f"{path}, line {line}: {shown(here)}is given a second time (first in line {lines[here]}): keep one"
                )
            lines[here] = line
            _walk(path, value, here, lines, inside)


def _fields(kind: Any, place: Sequence[str]) -> list[str]:
    """The fields there are at a place of the tree."""
    here: Any = kind
    for part in place:
        known = getattr(here, "model_fields", {}).get(part)
        here = known.annotation if known else next((a for a in get_args(here) if hasattr(a, "model_fields")), here)
    return list(getattr(here, "model_fields", {}))
