"""``assemble_dataset``: the catalog's claims, judged by what decoding found, become clips with labels and splits."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.content import ROWS_A_PIECE, column, content_digest
from earmark.catalog.findings import Findings
from earmark.catalog.grouped import Grouped
from earmark.catalog.judge import Decoded, judge_clips, judge_duplicates, judge_groups, note_clips
from earmark.catalog.made_folds import make_folds
from earmark.catalog.splits import SPLITS, TEST, given_splits, group_units, split_clips
from earmark.catalog.subsets import balanced
from earmark.config import DataConfig, digest, result_key
from earmark.errors import UserError
from earmark.features import clip_key
from earmark.progress import Progress
from earmark.store import Attempt, Manifest, Store, once
from earmark.store.tables import read_table, write_table

if TYPE_CHECKING:
    import pyarrow as pa

STEP = "assemble_dataset"
EPOCH = 1
CONTENT = ("clip_key", "clip_id", "labels", "split")


def assemble_dataset(
    store: Store, catalog: Manifest, patches: Manifest, config: DataConfig, progress: Progress
) -> Manifest:
    """The dataset of a catalog and its patches.

    Writes ``dataset.parquet`` (a clip a row, sorted by clip key), ``findings.parquet`` and ``labels.json``; the digest
    is that of clips, labels, splits and FeatureSpec. Nothing is random.

    Raises:
        UserError: more clips left out than ``config.max_rejected_share``, a label without what the splits need, an
            empty split, an unknown fold, folds to be made of data that is split already.
    """
    catalog.check(store)
    patches.check(store)
    key = result_key(STEP, EPOCH, [catalog.digest, patches.digest], {"data": config})
    manifest = once(store, STEP, key, lambda attempt: _assemble(attempt, store, catalog, patches, config, progress))
    # The same content may have been assembled from another place.
    return replace(manifest, facts={**manifest.facts, "data": catalog.facts["data"], "catalog": catalog.digest})


def _assemble(
    attempt: Attempt, store: Store, catalog: Manifest, patches: Manifest, config: DataConfig, progress: Progress
) -> None:
    clips = read_table(catalog.files["clips.parquet"].read(store))
    labels = json.loads(catalog.files["labels.json"].read(store))
    names = [label["name"] for label in labels]
    keys = _keys(clips)
    decoded = Decoded.of(keys, read_table(patches.files["facts.parquet"].read(store)))
    grouped = Grouped.of_columns(clips["group"], clips["labels"], names)
    wanted = config.test_folds, config.validation_folds
    splits, folds = column(clips, "split"), column(clips, "fold")
    if config.make_folds and splits[0] is not None:
        raise UserError("config data.make_folds: the data gives splits, so no folds are made: leave it out")
    if config.all_test:
        given_N: NDArray[np.int8] | None = np.full(len(keys), TEST, np.int8)
    else:
        given_N = None if config.make_folds else given_splits(splits, folds, *wanted)

    findings = Findings(clips["clip_id"])
    judge_clips(findings, clips, decoded)
    ties = judge_duplicates(findings, clips, decoded, given_N)
    if given_N is not None:
        judge_groups(findings, grouped, given_N)
    note_clips(findings, clips, decoded, config)
    found = findings.table()
    ref = attempt.put("findings.parquet", write_table(found))
    refused = findings.too_many(config.max_rejected_share, f"{store.uri}/{ref.object}")
    if refused:
        raise refused

    tied = grouped.tied(ties)
    if config.make_folds:
        # After the duplicates are known: a sound that comes twice must not be in two folds.
        units_G = group_units(tied, grouped, "fold")
        folds = make_folds(tied.only(findings.usable_N), units_G, config.make_folds)
        given_N = given_splits(splits, folds, *wanted)
        clips = _with_folds(clips, folds)
    if config.all_test:
        split_N = np.full(len(keys), TEST, np.int8)
    else:
        split_N = split_clips(grouped, tied, findings.usable_N, given_N, config)
    kept_N = findings.usable_N & ~_unbalanced(clips, keys, split_N, findings.usable_N, len(labels), config)
    index = read_table(patches.files["index.parquet"].read(store))
    dataset = _table(clips, keys, split_N, kept_N, index)
    _write(attempt, dataset, labels, patches)
    left_out = len(keys) - int(findings.usable_N.sum())
    unused = int((findings.usable_N & ~kept_N).sum())
    attempt.facts |= {
        "findings": findings.counts(),
        "left_out": left_out,
        "unused_test": unused,
        "data": catalog.facts["data"],
    }
    counts = ", ".join(f"{count} {split}" for split, count in attempt.facts["clips"].items())
    balanced_out = f", {unused} test clips not used in the balanced test set" if unused else ""
    progress.note(f"{counts}; {found.num_rows} findings, {left_out} clips left out{balanced_out}")


def _keys(clips: pa.Table) -> pa.Array[Any]:
    """The key of each clip."""
    import pyarrow as pa

    pieces = [pa.array([], pa.string())]
    for at in range(0, clips.num_rows, ROWS_A_PIECE):
        piece = clips.slice(at, ROWS_A_PIECE)
        rows = zip(*(column(piece, name) for name in ("sha256", "start_s", "end_s")), strict=True)
        pieces.append(pa.array([clip_key(*row) for row in rows], pa.string()))
    return pa.concat_arrays(pieces)


def _unbalanced(
    clips: pa.Table,
    keys: pa.Array[Any],
    split_N: NDArray[np.int8],
    usable_N: NDArray[np.bool_],
    n_labels: int,
    config: DataConfig,
) -> NDArray[np.bool_]:
    """The test clips that a balanced test set does without, (N,); none where none is asked for."""
    out_N = np.zeros(len(keys), bool)
    if config.balanced_test is not None:
        (test,) = np.nonzero(usable_N & (split_N == TEST))
        rows = clips.select(["labels"]).append_column("key", keys).take(test)
        own = column(rows, "key"), column(rows, "labels")
        chosen = balanced(*own, n_labels, config.balanced_test, config.balanced_cap)
        out_N[test[~chosen]] = True
    return out_N


def _write(attempt: Attempt, dataset: pa.Table, labels: list[dict[str, Any]], patches: Manifest) -> None:
    import pyarrow.compute as pc

    ids = [label["id"] for label in labels]
    counts = np.bincount(pc.list_flatten(dataset["labels"]).to_numpy(), minlength=len(labels)).tolist()
    splits = Counter(column(dataset, "split"))
    attempt.put("dataset.parquet", write_table(dataset))
    attempt.put_json("labels.json", [{**label, "count": counts[label["index"]]} for label in labels])
    about = {"spec": patches.facts["spec"], "labels": [[label["id"], label["name"]] for label in labels]}
    attempt.digest = content_digest(dataset, CONTENT, about)
    attempt.facts |= {
        "digest": attempt.digest,
        "clips": {split: splits[split] for split in SPLITS},
        "labels": [label["name"] for label in labels],
        "single_label": bool((pc.list_value_length(dataset["labels"]).to_numpy() == 1).all()),
        "evaluated": {split: evaluated_digest(dataset, ids, split) for split in SPLITS[1:]},
    }


def evaluated_digest(dataset: pa.Table, labels: Sequence[str], split: str) -> str:
    """Digest of a split's clips and their labels by id: scores may be compared only where it is the same."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = dataset.filter(pc.equal(dataset["split"], pa.scalar(split)))
    pairs = zip(column(rows, "clip_key"), column(rows, "labels"), strict=True)
    return digest(sorted([key, [labels[label] for label in found]] for key, found in pairs))


def _with_folds(clips: pa.Table, folds: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    return clips.set_column(clips.column_names.index("fold"), "fold", pa.array(folds, pa.string()))


def _table(
    clips: pa.Table, keys: pa.Array[Any], split_N: NDArray[np.int8], usable_N: NDArray[np.bool_], index: pa.Table
) -> pa.Table:
    """The rows of ``dataset.parquet``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = clips.select(["clip_id", "uri", "start_s", "end_s", "labels", "fold", "group"])
    table = table.append_column("clip_key", keys)
    table = table.append_column("split", pa.array([SPLITS[split] for split in split_N.tolist()], pa.string()))
    table = table.filter(pa.array(usable_N.tolist()))
    table = table.take(pc.sort_indices(table["clip_key"]))
    at = pc.index_in(table["clip_key"], value_set=index["clip_key"].combine_chunks())
    return table.append_column("rows", index["rows"].take(at))
