"""Config values as people give them: a YAML file, and assignments on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from earmark.errors import UserError
from earmark.pipelines.marked_yaml import UNREADABLE, read_marked


def read_yaml(path: Path) -> dict[str, Any]:
    """The nested values of a YAML file.

    Raises:
        UserError: no such file, or not YAML, or not a mapping; with the line.
    """
    try:
        values = read_marked(path).values
    except UserError as error:
        raise UserError(f"--config {error}") from None
    if values is not None and not isinstance(values, dict):
        raise UserError(f"--config {path} must hold keys and values, as in `train: {{steps: 600}}`")
    return values or {}


def assignment(text: str) -> dict[str, Any]:
    """``train.steps=600`` as nested values; the value is read as YAML.

    Raises:
        UserError: not of that form.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UserError(f"--set {text!r}: write it as field=value, for example --set train.steps=600")
    try:
        nested: Any = yaml.safe_load(value)
    except (yaml.YAMLError, *UNREADABLE):
        nested = value
    for part in reversed(name.strip().split(".")):
        nested = {part: nested}
    return dict(nested)
