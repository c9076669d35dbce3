"""Audio Set's ontology, or one in its form: classes with children, of which some are never labels."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from earmark.catalog.claims import Claims
from earmark.catalog.forms.rows import find_list
from earmark.catalog.root import DataRoot
from earmark.catalog.text import read_text
from earmark.errors import UserError

FILE = "ontology.json"
ABSTRACT, RESTRICTED = "abstract", "blacklist"
NO_LABEL = "none of its labels is in use"
"""Why a clip is dropped that has labels, all of them abstract, restricted or not in the list of labels."""


@dataclass(frozen=True)
class Ontology:
    """The classes of an ontology.

    Attributes:
        place: where it lies, for messages.
        names: display name of each class by id, in the order of the file.
        parents: ids of each class's direct parents; a class may have several.
        unused: ids of classes that are never labels: abstract or restricted.
    """

    place: str
    names: dict[str, str]
    parents: dict[str, tuple[str, ...]]
    unused: frozenset[str]

    @property
    def labels(self) -> dict[str, str]:
        """Id and name of every class that may be a label, in the order of the file."""
        return {identity: name for identity, name in self.names.items() if identity not in self.unused}

    def ancestors(self, identity: str) -> set[str]:
        """All classes above one, abstract and restricted ones too."""
        found: set[str] = set()
        todo = list(self.parents[identity])
        while todo:
            parent = todo.pop()
            if parent not in found:
                found.add(parent)
                todo += self.parents[parent]
        return found


def find_ontology(root: DataRoot) -> Ontology | None:
    """The only ``ontology.json`` in the data, at any depth; None without one.

    Raises:
        UserError: several, or one that cannot be.
    """
    key = find_list(root, FILE)
    return parse_ontology(root.place(key), read_text(root, key)) if key else None


def parse_ontology(place: str, text: str) -> Ontology:
    """Read an ontology: a JSON list of classes with ``id``, ``name``, ``child_ids`` and ``restrictions``.

    Args:
        place: where it lies, for messages.
        text: the file.

    Raises:
        UserError: no JSON, an entry without what it needs, an id that comes twice, a child that is no entry,
            or a class below itself; names the entry and its line.
    """
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{place} line {error.lineno} is not valid JSON ({error.msg}): mend it") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists without end
        raise UserError(f"{place} cannot be read as JSON ({error}): mend it") from None
    if not isinstance(entries, list):
        raise UserError(f"{place} is not a list of classes, each with id, name and child_ids: mend it")
    for number, entry in enumerate(entries, start=1):
        _check_entry(place, number, entry)
    counts = Counter(entry["id"] for entry in entries)
    for identity, count in counts.items():
        if count > 1:
            line = _line(text, identity, count)
            raise UserError(f"{place}{line}: the id {identity!r} is there {count} times: keep one of the entries")
    return _linked(place, text, entries)


def _check_entry(place: str, number: int, entry: Any) -> None:
    texts = isinstance(entry, dict) and all(isinstance(entry.get(key), str) and entry[key] for key in ("id", "name"))
    lists = texts and all(
        isinstance(found := entry.get(key, []), list) and all(isinstance(item, str) for item in found)
        for key in ("child_ids", "restrictions")
    )
    if not lists:
        named = f" ({entry['id']!r})" if isinstance(entry, dict) and entry.get("id") else ""
        raise UserError(
            f"{place}: entry {number}{named} needs the texts id and name and the lists child_ids and restrictions"
        )


def _linked(place: str, text: str, entries: list[dict[str, Any]]) -> Ontology:
    names = {entry["id"]: entry["name"] for entry in entries}
    parents: dict[str, list[str]] = {identity: [] for identity in names}
    for entry in entries:
        for child in entry.get("child_ids", []):
            if child not in names:
                raise UserError(
                    f"{place}{_line(text, entry['id'])}: {entry['id']!r} ({entry['name']}) has the child {child!r}, "
                    "which is no entry: add it, or take it out of child_ids"
                )
            parents[child].append(entry["id"])
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        circle = [str(identity) for identity in error.args[1]]
        raise UserError(
            f"{place}{_line(text, circle[0])}: a class is below itself, {' > '.join(circle)}: take one of these out of "
            "the child_ids of the one before it"
        ) from None
    unused = {entry["id"] for entry in entries if {ABSTRACT, RESTRICTED} & set(entry.get("restrictions", []))}
    return Ontology(
        place, names, {identity: tuple(dict.fromkeys(found)) for identity, found in parents.items()}, frozenset(unused)
    )


def _line(text: str, identity: str, nth: int = 1) -> str:
    """The line of an id's nth entry as `` line 12``, nothing where the text writes it in another way."""
    found = list(re.finditer(rf'"id"\s*:\s*{re.escape(json.dumps(identity))}', text))
    return f" line {text.count(chr(10), 0, found[nth - 1].start()) + 1}" if len(found) >= nth else ""


def add_parents(claims: Claims, ontology: Ontology | None) -> Claims:
    """The claims with every label's ancestors as labels of the clip too.

    Labels are found by id or name. Abstract and restricted classes do not become labels; where clips claim them they
    are taken off and counted. Ancestors that the data does not declare are declared after those that it does.

    Raises:
        UserError: no ontology, or a label that is not in it; names where it is listed.
    """
    if ontology is None:
        raise UserError(f"config data.add_parents: the data has no {FILE}: put it there, or leave data.add_parents out")
    declared = claims.declared or []
    id_of = _ids(ontology, declared)
    written = {id_of[text]: text for pair in reversed(declared) for text in reversed(pair) if text in id_of}
    above = {identity: (identity, *sorted(ontology.ancestors(identity))) for identity in set(id_of.values())}
    labels: list[tuple[str, ...]] = []
    dropped: Counter[str] = Counter()
    for at, texts in enumerate(claims.labels):
        for text in texts:
            if text not in id_of:
                place = claims.places[at] if claims.places else claims.clip_ids[at]
                raise UserError(f"{place}: label {text!r} is neither an id nor a name in {ontology.place}: mend one")
        own = [id_of[text] for text in texts]
        dropped.update(ontology.names[identity] for identity in own if identity in ontology.unused)
        every = dict.fromkeys(found for identity in own for found in above[identity] if found not in ontology.unused)
        labels.append(tuple(written.get(identity, identity) for identity in every))
    extra = [(identity, name) for identity, name in ontology.labels.items() if identity not in written]
    kept = [pair for pair in declared if not any(id_of.get(text) in ontology.unused for text in pair)]
    return without_unlabelled(
        replace(
            claims,
            labels=labels,
            declared=kept + extra,
            dropped_labels=Counter(claims.dropped_labels) + dropped,
        ),
        [bool(texts) for texts in claims.labels],
    )


def _ids(ontology: Ontology, declared: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Class by every text that means it: its id, its name if no other has it, and what the data declares for these."""
    common = Counter(ontology.names.values())
    found = {name: identity for identity, name in ontology.names.items() if common[name] == 1}
    found |= {identity: identity for identity in ontology.names}
    for pair in declared:
        meant = next((found[text] for text in pair if text in found), None)
        if meant is not None:
            found |= dict.fromkeys(pair, meant)
    return found


def without_unlabelled(claims: Claims, had_labels: list[bool]) -> Claims:
    """The claims without the clips that had labels and lost them all; those are counted.

    Args:
        claims: some clips without labels.
        had_labels: which clips had labels before.
    """
    keep = [bool(labels) or not had for labels, had in zip(claims.labels, had_labels, strict=True)]
    return claims.only(keep, NO_LABEL)
