"""``earmark promote``, ``earmark rollback`` and the history of a model's champions."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from earmark.pipelines.local import open_place
from earmark.pipelines.terminal import counted, print_json, print_table

if TYPE_CHECKING:
    from earmark.registry import Promotion

COLUMNS = ("number", "when", "from", "to", "who", "why")


def promote_version(name: str, version: int, why: str, work: str, json: bool) -> None:
    """Make a version the champion by hand."""
    os.environ.update(open_place(work).environment())
    from earmark.registry import promote, who

    _tell(name, promote(name, version, why, who()), json)


def roll_back(name: str, why: str, work: str, json: bool) -> None:
    """Make the champion before the present one champion again."""
    os.environ.update(open_place(work).environment())
    from earmark.registry import rollback, who

    _tell(name, rollback(name, why, who()), json)


def show_history(name: str, json: bool) -> None:
    """The promotions of a model, the newest first."""
    from earmark.registry import history

    found = history(name)
    if json:
        print_json([asdict(promotion) for promotion in found])
        return
    rows = []
    for made in found:
        why = f"{made.why} (rollback)" if made.rollback else made.why
        rows.append([str(made.number), made.at, str(made.replaced or "–"), str(made.version), made.by or "–", why])
    print_table(f"{counted(len(rows), 'promotion')} of {name}", COLUMNS, rows, left=6, wrapped=("why",))


def _tell(name: str, made: Promotion, json: bool) -> None:
    if json:
        print_json({"name": name, **asdict(made)})
        return
    before = f" in place of version {made.replaced}" if made.replaced else ""
    print(f"version {made.version} is champion of {name}{before} (promotion {made.number}, {made.at}, by {made.by})")
