"""``build_catalog``: what each clip of a data set claims to be, and the digest of its bytes; nothing is decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from earmark.catalog.adapters import read_claims
from earmark.catalog.claims import NO_FILE, Claims
from earmark.catalog.content import column, content_digest
from earmark.catalog.grouped import Grouped
from earmark.catalog.headers import NO_HEADER, Header, read_headers
from earmark.catalog.labels import Label, index_labels
from earmark.catalog.made_folds import check_makeable
from earmark.catalog.root import DataRoot, open_root
from earmark.catalog.splits import check_folds, check_groups, given_splits, natural
from earmark.config import DataConfig, result_key
from earmark.errors import UserError
from earmark.features.isolated import prepare
from earmark.progress import Progress
from earmark.store import Attempt, Manifest, Store, once
from earmark.store.tables import write_table

if TYPE_CHECKING:
    import pyarrow as pa

STEP = "build_catalog"
EPOCH = 3
CONTENT = ("clip_id", "sha256", "start_s", "end_s", "labels", "unknown_labels", "split", "fold", "group")
"""The columns that make the catalog's digest: claims of headers follow from the bytes."""
LABELS_TOLD = 5
"""A note names so many labels; the catalog's facts have them all."""


def build_catalog(store: Store, data: str, config: DataConfig, progress: Progress) -> Manifest:
    """The catalog of a data set, in whatever form it is published.

    A data set whose listing has not changed is not read again. Writes ``clips.parquet`` (a clip a row, sorted by
    clip id) and ``labels.json``; the digest is that of the content, wherever the data lies.

    Args:
        store: where the result goes.
        data: folder or CSV.
        config: ``form`` and ``add_parents`` say how it is read; all else only refuses in seconds what could not become
            a dataset.
        progress: told how many files' headers have been read.

    Raises:
        UserError: no data, no audio, one label only, a CSV that says what cannot be, a test fold that does not exist,
            a label with fewer groups than splits.
    """
    root = open_root(data)
    key = result_key(STEP, EPOCH, [root.digest(), config.form, f"add_parents={config.add_parents}"])
    manifest = once(store, STEP, key, lambda attempt: _build(attempt, root, config, progress))
    # The catalog may be one that was made to be scored: what that allows, training does not.
    _check_labels(root, manifest.facts["labels"], manifest.facts["source"], config)
    check_folds(config, manifest.facts["folds"])
    return manifest


def _build(attempt: Attempt, root: DataRoot, config: DataConfig, progress: Progress) -> None:
    prepare(frames=False)
    claims = read_claims(root, config)
    labels, indices, unknown = index_labels(claims.labels, claims.declared)
    folds = natural({fold for fold in claims.folds if fold is not None})
    _check(root, claims, labels, indices, folds, config)
    attempt.facts = {
        "data": root.store.uri,
        "clips": len(claims.uris),
        "labels": [label.name for label in labels],
        "source": claims.source,
        "dropped": dict(claims.dropped),
        "dropped_labels": dict(claims.dropped_labels),
        "coverage": {name: list(counts) for name, counts in claims.coverage.items()},
        "multi_label": any(len(found) > 1 for found in indices),
        "folds": folds,
    }
    notes = list(_dropped(claims))
    claimed = _claimed(claims, indices, unknown)
    del claims, indices, unknown  # lists of texts take three times the room of columns, and headers come now
    headers = read_headers(root, sorted(set(column(claimed, "uri"))), attempt.store, progress)
    table = _table(root, claimed, headers)
    del claimed, headers
    listed = [label.to_json() for label in labels]
    attempt.put("clips.parquet", write_table(table))
    attempt.put_json("labels.json", listed)
    attempt.digest = content_digest(table, CONTENT, listed)
    for note in notes:
        progress.note(note)


def _dropped(claims: Claims) -> Iterator[str]:
    """What of the listed is not in the catalog, a line each."""
    for reason, count in claims.dropped.items():
        yield f"{count} listed clips not taken: {reason}"
    if claims.dropped_labels:
        told = _few((f"{name} ({count} clips)" for name, count in sorted(claims.dropped_labels.items())), LABELS_TOLD)
        yield f"{len(claims.dropped_labels)} listed labels not taken: {told}"
    missing = claims.dropped.get(NO_FILE, 0)
    if missing and claims.coverage:
        least = sorted(claims.coverage.items(), key=lambda item: (item[1][0] / item[1][1], item[0]))
        worst = _few((f"{name} {there} of {listed}" for name, (there, listed) in least if there < listed), LABELS_TOLD)
        yield f"{len(claims.uris)} of {len(claims.uris) + missing} listed clips are there; least: {worst}"


def _few(entries: Iterable[str], count: int) -> str:
    told = list(entries)
    return ", ".join(told[:count]) + (", …" if len(told) > count else "")


def _check(
    root: DataRoot, claims: Claims, labels: list[Label], indices: list[list[int]], folds: list[str], config: DataConfig
) -> None:
    """Refuse before any file is read what no decoding could make good."""
    _check_labels(root, [label.name for label in labels], claims.source, config)
    if config.all_test:
        return
    check_folds(config, folds)
    groups = [group or uri for group, uri in zip(claims.groups, claims.uris, strict=True)]
    grouped = Grouped.of(groups, indices, [label.name for label in labels])
    if config.make_folds:
        check_makeable(grouped, config.make_folds)
        return
    given_N = given_splits(claims.splits, claims.folds, config.test_folds, config.validation_folds)
    check_groups(grouped, given_N)


def _check_labels(root: DataRoot, labels: list[str], source: str, config: DataConfig) -> None:
    if len(labels) >= (1 if config.all_test else 2):
        return
    found = f"one label, {labels[0]!r}" if labels else "no label"
    needed = "" if config.all_test else ", and a tagger needs two or more"
    remedy = "put the clips in one folder a label, or add a CSV with file and label"
    if source != "folders":
        remedy = "label the clips" if config.all_test else "label the clips with two labels or more"
    raise UserError(f"{root.store.uri} has {found}{needed}: {remedy}")


def _claimed(claims: Claims, indices: list[list[int]], unknown: list[list[str]]) -> pa.Table:
    """What the data says of each clip."""
    import pyarrow as pa

    return pa.table(
        {
            "clip_id": pa.array(claims.clip_ids, pa.string()),
            "uri": pa.array(claims.uris, pa.string()),
            "start_s": pa.array(claims.starts, pa.float64()),
            "end_s": pa.array(claims.ends, pa.float64()),
            "labels": pa.array(indices, pa.list_(pa.int32())),
            "unknown_labels": pa.array(unknown, pa.list_(pa.string())),
            "split": pa.array(claims.splits, pa.string()),
            "fold": pa.array(claims.folds, pa.string()),
            "group": pa.array(claims.groups, pa.string()),
            "place": pa.array(claims.places or [""] * len(claims.uris), pa.string()),
        }
    )


def _table(root: DataRoot, claimed: pa.Table, headers: dict[str, Header]) -> pa.Table:
    """The rows of ``clips.parquet``: what is said of each clip, and what its file shows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    uris = column(claimed, "uri")
    found = [headers.get(uri, NO_HEADER) for uri in uris]
    infos = [root.audio.get(uri) for uri in uris]
    # A clip is its own group where the data names none. Its bytes say which it is: a renamed clip keeps its split.
    said = column(claimed, "group")
    groups = [group or header.sha256 or uri for group, header, uri in zip(said, found, uris, strict=True)]
    columns: dict[str, Any] = {
        "clip_id": claimed["clip_id"],
        "uri": claimed["uri"],
        "sha256": pa.array([header.sha256 for header in found], pa.string()),
        "size": pa.array([info.size if info else None for info in infos], pa.int64()),
        "mark": pa.array([info.mark if info else None for info in infos], pa.string()),
        "start_s": claimed["start_s"],
        "end_s": claimed["end_s"],
        "claimed_rate": pa.array([header.rate for header in found], pa.int32()),
        "claimed_channels": pa.array([header.channels for header in found], pa.int32()),
        "claimed_seconds": pa.array([header.seconds for header in found], pa.float64()),
        "labels": claimed["labels"],
        "unknown_labels": claimed["unknown_labels"],
        "split": claimed["split"],
        "fold": claimed["fold"],
        "group": pa.array(groups, pa.string()),
        "place": claimed["place"],
    }
    table = pa.table(columns)
    return table.take(pc.sort_indices(table["clip_id"]))
