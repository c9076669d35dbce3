"""A list of variants: the fields that differ, and what came of them, beside the rows of Table 2 that match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from earmark.architectures.options import complete_options
from earmark.architectures.paper import PAPER_TABLE_2
from earmark.config import merge
from earmark.evaluation.report import numbers
from earmark.evaluation.report.studied import Cell, Study
from earmark.evaluation.studies.trained import SCORE_COLUMNS, Trained, published, scores

SHOWN = ("train.steps",)
"""Fields that have a column in any case."""
COLUMNS = ("Steps", "Time", "Weights", "Multiplies", *SCORE_COLUMNS)


def study(found: Sequence[Trained]) -> Study:
    """The variants in their order, the fields that differ as columns."""
    leaves = [_fields(trained) for trained in found]
    names = dict.fromkeys(name for tree in leaves for name in tree if name not in SHOWN)
    differing = [name for name in names if len({repr(tree.get(name)) for tree in leaves}) > 1]
    known = [row for row in PAPER_TABLE_2 if row.name in {trained.network.architecture for trained in found}]
    return Study(
        title="The variants",
        intro="All variants saw the same clips; where their configs differ is in the columns.",
        columns=("Variant", *(_short(name, differing) for name in differing), *COLUMNS),
        rows=[
            [
                Cell(trained.name),
                *(Cell(_told(tree.get(name))) for name in differing),
                Cell(numbers.whole(trained.network.steps)),
                Cell(numbers.duration(trained.network.seconds)),
                Cell(numbers.compact(trained.network.weights)),
                Cell(numbers.compact(trained.network.multiplies)),
                *scores(trained.network),
            ]
            for trained, tree in zip(found, leaves, strict=True)
        ],
        caption="Scores are of the test clips. A dash is a field that is not set, or not there.",
        paper_title="The same networks in Table 2 of the paper" if known else "",
        paper_columns=("Network", "Steps", "Hours", *SCORE_COLUMNS) if known else (),
        paper_rows=[
            [row.title, numbers.compact(row.steps), f"{row.hours:g}", *published(row.auc, row.d_prime, row.map)]
            for row in known
        ],
    )


def _fields(trained: Trained) -> dict[str, Any]:
    """All fields of a variant's config by name, the network's own options with their defaults."""
    network = trained.config.architecture
    options = complete_options(network.name, network.options)
    tree = merge(trained.config.model_dump(), {"architecture": {"options": options}})
    return dict(_leaves(tree))


def _short(name: str, among: Sequence[str]) -> str:
    """A field's last word, where that is enough to tell it from the others."""
    last = name.rpartition(".")[2]
    return last if sum(other.rpartition(".")[2] == last for other in among) == 1 else name


def _told(value: Any) -> str:
    if value is None:
        return numbers.NONE
    return f"{value:g}" if isinstance(value, float) else str(value)


def _leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
