"""What of a ``.pt2`` archive torch would run while it reads it: an archive with any of that is refused unread.

``torch.export.load`` unpickles some members, loads compiled code from others, evaluates size expressions and guards as
Python, and takes operators by their path from the module ``torch``. Of all that a program of ours has only operators
and sizes, in a form that can do no more than compute.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from earmark.errors import UserError

MEMBERS = re.compile(
    r"models/model\.json|data/(weights/(weight_\d+|model_weights_config\.json)"
    r"|constants/(tensor_\d+|model_constants_config\.json)|sample_inputs/model\.pt)"
    r"|archive_format|archive_version|version|byteorder|\.data/\w+"
)
"""Below the archive's one folder."""
CONFIGS = {
    "data/weights/model_weights_config.json": r"weight_\d+",
    "data/constants/model_constants_config.json": r"tensor_\d+",
}
"""What tells of each tensor where it lies and whether it is a pickle, and how these are called."""
SAMPLE_INPUTS = "data/sample_inputs/model.pt"
"""A pickle wherever it is not empty."""
SIZE = re.compile(r"([A-Z]\w*|'?[a-z]+\d+'?|(positive|integer|nonnegative)=True|-?\d+|[-+*/(), ])*")
"""Functions, symbols and numbers: ``Add(Symbol('s13', positive=True, integer=True), Integer(-1))``, ``s13 - 1``."""
OPERATOR = re.compile(
    r"torch\.ops\.aten\.(?!from_file)[\w.]+|torch\.sym_\w+"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|pow|neg|eq|ne|lt|le|gt|ge|and_|or_|getitem)"
)


def check_archive(path: Path) -> None:
    """Refuse a program's archive that could run code while it is read, or by what it computes.

    Raises:
        UserError: naming the file, and what in it is no plain tensor, size or operator.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2]: name for name in archive.namelist()}
            _check_members(path, archive, names)
            for config, tensor in CONFIGS.items():
                _check_tensors(path, json.loads(archive.read(names[config])), tensor)
            _check_graph(path, json.loads(archive.read(names["models/model.json"])))
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is no program by torch.export ({error}): export the model again") from None


def _check_members(path: Path, archive: zipfile.ZipFile, names: dict[str, str]) -> None:
    for name, whole in names.items():
        filled_sample = name == SAMPLE_INPUTS and archive.getinfo(whole).file_size > 0
        if filled_sample or not MEMBERS.fullmatch(name):
            raise _refused(path, f"its member {whole!r} may be a pickle or compiled code")


def _check_tensors(path: Path, config: dict[str, Any], tensor: str) -> None:
    for name, told in config["config"].items():
        if told["use_pickle"] or not re.fullmatch(tensor, told["path_name"]):
            raise _refused(path, f"{name!r} is a pickle")


def _check_graph(path: Path, model: dict[str, Any]) -> None:
    for key, value in _fields(model):
        if key == "guards_code" and value:
            raise _refused(path, "it has guards, which are Python")
        if key == "expr_str" and not SIZE.fullmatch(value):
            raise _refused(path, f"its size {value[:60]!r} is more than arithmetic")
        if key == "target" and isinstance(value, str) and "." in value and not OPERATOR.fullmatch(value):
            raise _refused(path, f"its operator {value[:60]!r} is none of a network's")


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every field of a JSON document, however deep."""
    if isinstance(value, dict):
        yield from value.items()
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _fields(inner)


def _refused(path: Path, why: str) -> UserError:
    return UserError(f"{path} is refused, since reading it could run code: {why}; export the model again")
