"""Config values as people give them: a YAML file, and assignments on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from earmark.errors import UserError


def read_yaml(path: Path) -> dict[str, Any]:
    """The nested values of a YAML file.

    Raises:
        UserError: no such file, or not YAML, or not a mapping; with the line.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise UserError(f"--config {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f" in line {line + 1}" if line is not None else ""
        raise UserError(f"--config {path} is not YAML{where}: {getattr(error, 'problem', error)}") from None
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
    except yaml.YAMLError:
        nested = value
    for part in reversed(name.strip().split(".")):
        nested = {part: nested}
    return dict(nested)
