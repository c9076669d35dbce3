"""Audio Set's published embeddings as a dataset of their own: clips without sound, and what a network heard in them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.assemble import evaluated_digest
from earmark.catalog.findings import Findings
from earmark.catalog.splits import SPLITS, hash_unit
from earmark.config import FeatureSpec, digest, result_key
from earmark.embeddings.published import read_examples
from earmark.embeddings.quantise import dequantise
from earmark.errors import UserError
from earmark.progress import Progress
from earmark.store import Attempt, Manifest, ObjectInfo, Store, once, open_store
from earmark.store.tables import write_table
from earmark.transfer.embed import INDEX, SHARD_BYTES, write_index, write_part

if TYPE_CHECKING:
    import pyarrow as pa

STEP = "read_embeddings"
EPOCH = 1
PARTS = {"bal_train": "train", "unbal_train": "train", "eval": "test"}
"""What the clips of a folder are for."""
VALIDATION_SHARE = 0.15
"""Of the training videos, by hash: the published sets have no validation part, and heads are chosen by one."""
NAMES = "class_labels_indices.csv"
SIZE = 128
HOP_SECONDS = 0.96
DATASET = ("dataset.parquet", "labels.json", "findings.parquet")


@dataclass(frozen=True)
class _Row:
    """A clip of the dataset."""

    clip_id: str
    clip_key: str
    uri: str
    split: str
    group: str
    start_s: float
    end_s: float
    labels: tuple[int, ...]
    seconds: int


def read_embeddings(store: Store, data: str, progress: Progress) -> tuple[Manifest, Manifest, Manifest]:
    """Dataset, embedded clips and (empty) patches of a folder with Audio Set's features, dequantised.

    Clips of ``bal_train`` and ``unbal_train`` are trained on but for 15 % of the videos, by hash, which are the
    validation part; those of ``eval`` are the test set. Labels have the names of ``class_labels_indices.csv`` in the
    folder, else their numbers. Clips without a second or a label are left out and found so.

    Args:
        store: of the results.
        data: the folder, or an ``s3://`` address: ``*.tfrecord`` below folders of those three names.
        progress: told of the files.

    Raises:
        UserError: no such files; one that is damaged, no clip of 128 bytes a second, or a label that is not in the
            list (names file and byte); one clip twice.
    """
    source = open_store(data)
    files = sorted((i for i in source.list() if _part(i.key)), key=lambda info: info.key)
    lists = [info for info in source.list() if PurePosixPath(info.key).name == NAMES]
    if not files:
        raise UserError(
            f"{data} has no *.tfrecord in folders called {', '.join(PARTS)}: give the folder that Audio Set's "
            "features.tar.gz was unpacked to"
        )
    listed = [[info.key, info.size, info.mark] for info in (*files, *lists)]

    def work(attempt: Attempt) -> None:
        labels = _labels(source, lists[0], data) if lists else None
        _write(attempt, source, files, labels, data, progress)

    made = once(store, STEP, result_key(STEP, EPOCH, [digest([source.uri, listed])]), work)
    return _manifests(made)


def _manifests(made: Manifest) -> tuple[Manifest, Manifest, Manifest]:
    """The one result as what the steps of transfer take."""
    of_dataset = {name: made.files[name] for name in DATASET}
    shards = {name: ref for name, ref in made.files.items() if name not in DATASET}
    dataset = replace(made, digest=made.facts["dataset"]["digest"], files=of_dataset, facts=made.facts["dataset"])
    embedded = replace(made, files=shards, facts=made.facts["embedded"])
    patches = replace(made, files={INDEX: made.files[INDEX]}, facts={"spec": FeatureSpec().model_dump()})
    return dataset, embedded, patches


def _write(
    attempt: Attempt,
    source: Store,
    files: Sequence[ObjectInfo],
    labels: list[tuple[str, str]] | None,
    data: str,
    progress: Progress,
) -> None:
    rows: list[_Row] = []
    parts: list[Manifest] = []
    keys: list[str] = []
    found: list[NDArray[np.float32]] = []
    filled = 0

    def store_part() -> None:
        part = Attempt(attempt.store, STEP, digest([attempt.key, len(parts)]))
        write_part(part, keys, found)
        parts.append(part.manifest())
        keys.clear()
        found.clear()

    for number, info in enumerate(files, start=1):
        for row, embeddings_PK in _rows(source, info, labels):
            rows.append(row)
            keys.append(row.clip_key)
            found.append(dequantise(embeddings_PK.reshape(-1, SIZE)))
            filled += found[-1].nbytes
            if filled >= SHARD_BYTES:
                store_part()
                filled = 0
        progress.update(number, len(files), "files")
    store_part()
    rows.sort(key=lambda row: row.clip_key)
    _check_once(rows)
    embedded = {
        "size": SIZE,
        **write_index(attempt, parts),
        "source": data,
        "weights_sha256": "",
        "hop_seconds": HOP_SECONDS,
        "max_silent_share": 1.0,
    }
    attempt.facts = {"embedded": embedded, "dataset": _write_dataset(attempt, rows, labels, data)}


def _write_dataset(
    attempt: Attempt, rows: Sequence[_Row], labels: list[tuple[str, str]] | None, data: str
) -> dict[str, Any]:
    """Write the files of a dataset; its facts."""
    findings = Findings([row.clip_id for row in rows])
    for number, row in enumerate(rows):
        if not row.seconds:
            findings.leave_out(number, "no samples", "the record has no second")
        elif not row.labels:
            findings.leave_out(number, "no label")
    kept = [row for row, usable in zip(rows, findings.usable_N.tolist(), strict=True) if usable]
    count = 1 + max((label for row in kept for label in row.labels), default=0)
    named = labels or [(str(label), str(label)) for label in range(count)]
    table = _table(kept)
    counts = Counter(label for row in kept for label in row.labels)
    attempt.put("dataset.parquet", write_table(table))
    attempt.put("findings.parquet", write_table(findings.table()))
    told = [{"index": i, "id": own, "name": name, "count": counts[i]} for i, (own, name) in enumerate(named)]
    attempt.put_json("labels.json", told)
    splits = Counter(row.split for row in kept)
    ids = [own for own, _ in named]
    return {
        "digest": digest([attempt.files["dataset.parquet"].sha256, named]),
        "clips": {split: splits[split] for split in SPLITS},
        "labels": [name for _, name in named],
        "single_label": all(len(row.labels) == 1 for row in kept),
        "evaluated": {split: evaluated_digest(table, ids, split) for split in SPLITS[1:]},
        "findings": findings.counts(),
        "left_out": len(rows) - len(kept),
        "unused_test": 0,
        "data": data,
    }


def _table(rows: Sequence[_Row]) -> pa.Table:
    """``dataset.parquet``: a row a clip, by its key; ``rows`` counts seconds here."""
    import pyarrow as pa

    return pa.table(
        {
            "clip_id": pa.array([row.clip_id for row in rows], pa.string()),
            "uri": pa.array([row.uri for row in rows], pa.string()),
            "start_s": pa.array([row.start_s for row in rows], pa.float64()),
            "end_s": pa.array([row.end_s for row in rows], pa.float64()),
            "labels": pa.array([row.labels for row in rows], pa.list_(pa.int32())),
            "fold": pa.nulls(len(rows), pa.string()),
            "group": pa.array([row.group for row in rows], pa.string()),
            "clip_key": pa.array([row.clip_key for row in rows], pa.string()),
            "split": pa.array([row.split for row in rows], pa.string()),
            "rows": pa.array([row.seconds for row in rows], pa.int32()),
        }
    )


def _rows(
    source: Store, info: ObjectInfo, labels: list[tuple[str, str]] | None
) -> Iterator[tuple[_Row, NDArray[np.uint8]]]:
    """The clips of a file, and their embeddings."""
    place = f"{source.uri.rstrip('/')}/{info.key}"
    part = _part(info.key)
    for example in read_examples(source.get(info.key), place):
        if example.embeddings_PK.shape[1] not in (0, SIZE):
            raise UserError(
                f"{place}, byte {example.at}: embeddings of {example.embeddings_PK.shape[1]} bytes, where Audio Set's "
                f"have {SIZE}"
            )
        unknown = [label for label in example.labels if labels is not None and label >= len(labels)]
        if unknown:
            raise UserError(
                f"{place}, byte {example.at}: label {unknown[0]} is not among the {len(labels or ())} of {NAMES}: "
                "give the list that belongs to these files"
            )
        told = (example.video_id, example.start_s, example.end_s)
        held_out = part == "train" and hash_unit(example.video_id, "validation") < VALIDATION_SHARE
        clip_id = f"{example.video_id}_{example.start_s:g}_{example.end_s:g}"
        split = "validation" if held_out else part
        used = tuple(sorted(set(example.labels)))
        yield (
            _Row(clip_id, digest(list(told)), info.key, split, *told, used, len(example.embeddings_PK)),
            example.embeddings_PK,
        )


def _check_once(rows: Sequence[_Row]) -> None:
    for row, after in pairwise(rows):
        if row.clip_key == after.clip_key:
            raise UserError(f"clip {row.clip_id} is in {row.uri} and in {after.uri}: leave one of them out")


def _labels(source: Store, info: ObjectInfo, data: str) -> list[tuple[str, str]]:
    """Ids and names of the labels by index."""
    place = f"{data.rstrip('/')}/{info.key}"
    try:
        lines = list(csv.DictReader(io.StringIO(source.get(info.key).decode("utf-8"))))
        found = [(int(line["index"]), line["mid"], line["display_name"]) for line in lines]
    except (KeyError, ValueError, TypeError):
        raise UserError(
            f"{place} is no list of labels: it needs columns index, mid and display_name in UTF-8, as Audio Set's has"
        ) from None
    for number, (index, _, _) in enumerate(found):
        if index != number:
            raise UserError(f"{place} line {number + 2}: index {index} where {number} comes next: mend the line")
    return [(mid, name) for _, mid, name in found]


def _part(key: str) -> str:
    """What the clips of a file are for; empty for another file."""
    path = PurePosixPath(key)
    return PARTS.get(path.parent.name, "") if path.suffix == ".tfrecord" else ""
