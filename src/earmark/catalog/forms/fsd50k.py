"""FSD50K as published: ``FSD50K.ground_truth`` with the lists, ``FSD50K.dev_audio`` and ``FSD50K.eval_audio``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from earmark.catalog.claims import SPLIT_NAMES, Claims
from earmark.catalog.forms import Form
from earmark.catalog.forms.rows import Row, find_list, read_rows, split_list
from earmark.catalog.root import DataRoot
from earmark.config import DataConfig
from earmark.errors import UserError

FOLDER = "FSD50K.ground_truth"
COLUMNS = ("fname", "labels", "mids")


def _recognises(root: DataRoot) -> bool:
    return root.named is None and find_list(root, f"{FOLDER}/dev.csv") is not None


def _read(root: DataRoot, _config: DataConfig) -> Claims:
    """The clips of dev (train and validation) and of eval (test); labels are the mids of the vocabulary.

    Raises:
        UserError: a list that is not there or says what cannot be, or a part without any of its files.
    """
    ids = _vocabulary(root, _needed(root, "vocabulary.csv"))
    uris: dict[str, str] = {}
    labels: list[tuple[str, ...]] = []
    splits: list[str | None] = []
    for uri, row, split in _rows(root):
        if uri in uris:
            raise UserError(f"{row.place}: {row.cells[0]!r} is listed in {uris[uri]} already: take out one of them")
        uris[uri] = row.place
        labels.append(_labels(row, ids))
        splits.append(split)
    _check_there(root, list(uris), splits)
    none: list[None] = [None] * len(uris)
    return Claims(
        source=FSD50K.name,
        clip_ids=list(uris),
        uris=list(uris),
        labels=labels,
        starts=[*none],
        ends=[*none],
        splits=splits,
        folds=[*none],
        groups=[*none],
        declared=[(mid, name) for name, mid in ids.items()],
        places=list(uris.values()),
    )


def _needed(root: DataRoot, name: str) -> str:
    key = find_list(root, f"{FOLDER}/{name}")
    if key is None:
        raise UserError(f"{root.store.uri} has no {FOLDER}/{name}: unpack FSD50K.ground_truth.zip there")
    return key


def _vocabulary(root: DataRoot, key: str) -> dict[str, str]:
    """Mid of each class by name, in the order of the vocabulary."""
    ids: dict[str, str] = {}
    for place, (_, name, mid) in read_rows(root, key, ("index", "name", "mid")):
        if not name or not mid or name in ids or mid in ids.values():
            raise UserError(f"{place}: names and mids must be there and differ: mend the line")
        ids[name] = mid
    return ids


def _rows(root: DataRoot) -> Iterator[tuple[str, Row, str]]:
    """Key of the file, row and split of every listed clip."""
    dev, evaluation = _needed(root, "dev.csv"), _needed(root, "eval.csv")
    base = dev.removesuffix(f"{FOLDER}/dev.csv")
    for row in read_rows(root, dev, (*COLUMNS, "split"), header=True):
        if row.cells[3] not in ("train", "val"):
            raise UserError(f"{row.place}: the split is {row.cells[3]!r}, and dev has train and val: mend the line")
        yield f"{base}FSD50K.dev_audio/{row.cells[0]}.wav", row, SPLIT_NAMES[row.cells[3]]
    for row in read_rows(root, evaluation, COLUMNS, header=True):
        yield f"{base}FSD50K.eval_audio/{row.cells[0]}.wav", row, "test"


def _labels(row: Row, ids: Mapping[str, str]) -> tuple[str, ...]:
    names, mids = split_list(row.cells[1]), split_list(row.cells[2])
    for name in names:
        if name not in ids:
            raise UserError(f"{row.place}: the label {name!r} is not in {FOLDER}/vocabulary.csv: mend one of them")
    if {ids[name] for name in names} != set(mids):
        raise UserError(
            f"{row.place}: the mids {', '.join(mids)} are not those of the labels {', '.join(names)} in "
            f"{FOLDER}/vocabulary.csv: mend the line"
        )
    return mids


def _check_there(root: DataRoot, uris: list[str], splits: list[str | None]) -> None:
    for part, is_test in (("dev", False), ("eval", True)):
        wanted = [uri for uri, split in zip(uris, splits, strict=True) if (split == "test") == is_test]
        if wanted and not any(uri in root.audio for uri in wanted):
            raise UserError(
                f"none of the {len(wanted)} clips of {FOLDER}/{part}.csv is there (the first would be {wanted[0]}): "
                f"unpack FSD50K.{part}_audio.zip below {root.store.uri}"
            )


FSD50K = Form(
    "fsd50k", f"{FOLDER}/dev.csv, eval.csv and vocabulary.csv beside the folders of audio", _recognises, _read
)
