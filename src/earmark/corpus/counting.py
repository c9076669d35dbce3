"""What can be counted of a data set: clips by label and split, sound as decoded, findings. Nothing is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.catalog import FINDINGS
from earmark.catalog.content import column
from earmark.catalog.findings import EXAMPLES, LEFT_OUT
from earmark.catalog.splits import SPLITS
from earmark.corpus.preparing import Prepared
from earmark.errors import UserError
from earmark.store.tables import read_table

if TYPE_CHECKING:
    import pyarrow as pa

BINS = 24
LOWEST_DBFS = -60.0
"""Peaks below count as this."""


def about(prepared: Prepared | None, refused: Sequence[UserError]) -> dict[str, Any]:
    """What ``earmark data check`` tells, ready for JSON.

    Args:
        prepared: what could be made, None if nothing.
        refused: what would stop a run.
    """
    told: dict[str, Any] = {"refused": [str(error) for error in refused]}
    if prepared is None:
        return told
    facts, assembled = prepared.catalog.facts, prepared.dataset.facts
    table = read_table(prepared.dataset.files["dataset.parquet"].read(prepared.store))
    return told | {
        "form": facts["source"],
        "listed": facts["clips"],
        "clips": table.num_rows,
        "left_out": assembled["left_out"],
        "unused_test": assembled["unused_test"],
        "splits": {split: assembled["clips"][split] for split in SPLITS} if prepared.split else None,
        "labels": _labels(table, assembled["labels"], prepared.split),
        "findings": _findings(read_table(prepared.dataset.files["findings.parquet"].read(prepared.store))),
        "dropped": facts["dropped"],
        "dropped_labels": facts["dropped_labels"],
        "coverage": facts["coverage"],
        "folds": facts["folds"],
    }


def describe(prepared: Prepared, refused: Sequence[UserError]) -> dict[str, Any]:
    """What ``earmark data describe`` tells, ready for JSON: :func:`about`, and the sound itself.

    Durations, peaks, rates, channels and formats are of the clips that are kept.
    """
    table = read_table(prepared.dataset.files["dataset.parquet"].read(prepared.store))
    facts = {row["clip_key"]: row for row in read_table(_facts(prepared)).to_pylist()}
    kept = [facts[key] for key in column(table, "clip_key")]
    seconds_N = np.array([row["seconds"] for row in kept])
    peak_N = np.array([row["peak"] for row in kept])
    labels = column(table, "labels")
    names = prepared.dataset.facts["labels"]
    seconds_C = np.zeros(len(names))
    for found, seconds in zip(labels, seconds_N.tolist(), strict=True):
        seconds_C[found] += seconds
    dbfs_N = np.maximum(20 * np.log10(np.maximum(peak_N, 1e-9)), LOWEST_DBFS)
    return about(prepared, refused) | {
        "seconds": float(seconds_N.sum()),
        "duration": _spread(seconds_N),
        "peak_dbfs": _spread(dbfs_N),
        "seconds_by_label": dict(zip(names, np.round(seconds_C, 3).tolist(), strict=True)),
        "rates": _counted(row["rate"] for row in kept),
        "channels": _counted(row["channels"] for row in kept),
        "formats": _counted(PurePosixPath(uri).suffix.lower().lstrip(".") for uri in column(table, "uri")),
        "labels_per_clip": _counted((len(found) for found in labels), by_size=True),
        "groups": len(set(column(table, "group"))),
        "together": together(labels, len(names)),
    }


def together(labels_N: Sequence[Sequence[int]], n_labels: int) -> list[list[int]]:
    """Clips that carry both labels, (C, C); on the diagonal those that carry one."""
    counts_CC = np.zeros((n_labels, n_labels), np.int64)
    for found in labels_N:
        counts_CC[np.ix_(found, found)] += 1
    rows: list[list[int]] = counts_CC.tolist()
    return rows


def _facts(prepared: Prepared) -> bytes:
    return prepared.patches.files["facts.parquet"].read(prepared.store)


def _labels(table: pa.Table, names: Sequence[str], split: bool) -> dict[str, dict[str, int]]:
    """Clips of each label, in all and in each split."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    for found, part in zip(column(table, "labels"), column(table, "split"), strict=True):
        for label in found:
            counts[names[label]].update(["clips", *([part] if split else [])])
    keys = ("clips", *(SPLITS if split else ()))
    return {name: {key: count[key] for key in keys} for name, count in counts.items()}


def _findings(table: pa.Table) -> dict[str, dict[str, Any]]:
    kinds: dict[str, list[dict[str, str]]] = {}
    for row in table.to_pylist():
        kinds.setdefault(row["finding"], []).append(row)
    return {
        kind: {
            "count": len(rows),
            "left_out": sum(row["action"] == LEFT_OUT for row in rows),
            "meaning": FINDINGS.get(kind, ""),
            "examples": [{"clip": row["clip_id"], "detail": row["detail"]} for row in rows[:EXAMPLES]],
        }
        for kind, rows in sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
    }


def _spread(values_N: NDArray[np.float64]) -> dict[str, Any]:
    """Least, quartiles and most, and a histogram: counts between edges."""
    if not len(values_N):
        return {"quartiles": [], "edges": [], "counts": []}
    counts, edges = np.histogram(values_N, BINS)
    quartiles = np.quantile(values_N, (0, 0.25, 0.5, 0.75, 1))
    return {
        "quartiles": np.round(quartiles, 3).tolist(),
        "edges": np.round(edges, 4).tolist(),
        "counts": counts.tolist(),
    }


def _counted(values: Iterable[Any], by_size: bool = False) -> dict[str, int]:
    """How often each comes, the commonest first, or in order of their size."""
    counts = Counter(values)
    order = sorted(counts.items(), key=lambda item: item[0] if by_size else (-item[1], item[0]))
    return {str(value): count for value, count in order}
