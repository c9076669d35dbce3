"""Clips listed in a file of JSON lines: an object a clip, with the fields that a CSV has as columns."""

from __future__ import annotations

import json
from typing import Any

from earmark.catalog.claims import Claims
from earmark.catalog.csv import claim
from earmark.catalog.forms import Form
from earmark.catalog.root import DataRoot
from earmark.catalog.sheet import Sheet, positions
from earmark.catalog.text import read_text
from earmark.config import DataConfig
from earmark.errors import UserError


def _recognises(root: DataRoot) -> bool:
    if root.named is not None:
        return root.named.lower().endswith(".jsonl")
    return bool(_in_root(root))


def _in_root(root: DataRoot) -> list[str]:
    return sorted(key for key in root.lists if "/" not in key and key.lower().endswith(".jsonl"))


def _read(root: DataRoot, _config: DataConfig) -> Claims:
    """The list that was named, else the only one in the root. A label is a text, several are a list of texts.

    Raises:
        UserError: no such list, several, a line that is no JSON object of texts and numbers, or what a CSV is refused
            for; names the line.
    """
    keys = [root.named] if root.named is not None else _in_root(root)
    if not keys:
        raise UserError(f"{root.store.uri} has no .jsonl: name the list, or leave config data.form out")
    if len(keys) > 1:
        raise UserError(
            f"{root.store.uri} has {len(keys)} lists of clips, {' and '.join(keys)}: "
            f"name the one to use, e.g. {root.place(keys[0])}"
        )
    place = root.place(keys[0])
    lines = enumerate(read_text(root, keys[0]).split("\n"), start=1)
    objects = [(line, _parse(place, line, text)) for line, text in lines if text.strip()]
    if not objects:
        raise UserError(f"{place} has no lines: add a line a clip")
    header = list(dict.fromkeys(name for _, fields in objects for name in fields))
    where = {ours: header[at] for ours, at in positions(header).items()}
    columns = {
        ours: [_text(place, line, name, fields.get(name)) for line, fields in objects]
        for ours, name in where.items()
        if ours != "label"
    }
    labels: list[tuple[str, ...]] = [()] * len(objects)
    if "label" in where:
        labels = [_labels(place, line, where["label"], fields.get(where["label"])) for line, fields in objects]
        columns["label"] = [""] * len(objects)  # there, as the CSV's rules ask; what it says is in labels
    return claim(root, Sheet(place, header, [line for line, _ in objects], columns), JSONL.name, labels)


def _parse(place: str, line: int, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{place} line {line} is not JSON ({error.msg}): mend the line") from None
    except (ValueError, RecursionError):  # a number or a nesting beyond reason
        raise UserError(f"{place} line {line} cannot be read as JSON: mend the line") from None
    if not isinstance(found, dict):
        raise UserError(f'{place} line {line} is no object: write {{"file": …, "label": …}}')
    return found


def _text(place: str, line: int, name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UserError(f"{place} line {line}: {name} is {json.dumps(value)[:40]}: give a text or a number")
    return str(value).strip()


def _labels(place: str, line: int, name: str, value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    texts = [_text(place, line, name, label) for label in values]
    return tuple(dict.fromkeys(text for text in texts if text))


JSONL = Form("jsonl", "a list of JSON lines with file and label", _recognises, _read)
