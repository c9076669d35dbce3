"""The step ``evaluate_package``: a model that is there, on any labelled sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.catalog import Clip, Dataset
from earmark.catalog.content import column
from earmark.config import digest, result_key
from earmark.errors import UserError
from earmark.evaluation.evaluate import scores_table
from earmark.evaluation.tables import split_tables
from earmark.evaluation.trust import both, brief
from earmark.progress import Progress
from earmark.store import Attempt, Manifest, Store, once
from earmark.store.tables import read_table, write_table

if TYPE_CHECKING:
    import pyarrow as pa

STEP = "evaluate_package"
EPOCH = 1
TRAINED, OTHER = "trained on", "no label that the model knows"
SHOWN = 6
SEED = 0
"""Of the bootstrap."""


@dataclass(frozen=True)
class Packaged:
    """A model as its package holds it.

    Attributes:
        title: what people call it.
        weights: safetensors.
        document: ``model.json``.
        clips: what it was made of (sha256, split), None where the package does not tell.
    """

    title: str
    weights: bytes
    document: Mapping[str, Any]
    clips: pa.Table | None


def evaluate_package(
    store: Store,
    package: Packaged,
    catalog: Manifest,
    patches: Manifest,
    dataset: Manifest,
    include_trained: bool,
    progress: Progress,
) -> Manifest:
    """Score a model on all clips of a dataset that it was not made of.

    Files: ``scores-test.parquet``, ``metrics.json``, ``calibration.json`` (the model's own, where it has one),
    ``timelines.json``, all as of ``evaluate_model``, by the model's labels; ``left_out.json`` (clip_id, why, detail).
    Facts: model, name, digest, data, clips, test (scores with intervals), labels (``common``, ``model_only``,
    ``data_only``), left_out (counts by reason), trained (how many clips of its training are among the scored; None
    where the package does not tell), calibration, weights, multiplies.

    Labels that only one side knows are in no mean; clips that have no other are left out.

    Args:
        store: of the results.
        package: the model.
        catalog: what the clips claim to be.
        patches: their frames, by the model's own features.
        dataset: all of it test (``data.all_test``).
        include_trained: keep clips whose files the model was trained or chosen on.
        progress: told how many clips are scored.

    Raises:
        UserError: no label in common, no clip left, or frames that are not the model's.
    """
    for manifest in (catalog, patches, dataset):
        manifest.check(store)
    inputs = [digest(package.document), catalog.digest, dataset.digest, f"include_trained={include_trained}"]

    def work(attempt: Attempt) -> None:
        opened = Dataset.open(store, dataset, patches)
        places = _match(package, opened, catalog.facts["data"])
        clips, left_out = _choose(store, package, catalog, opened, places, include_trained)
        attempt.put_json("left_out.json", left_out)
        if not clips:
            raise _nothing_left(package, catalog.facts["data"], left_out, dataset.facts["findings"])
        _evaluate(attempt, package, opened, patches, dataset, clips, places, progress)
        known = _made_of(store, package, catalog)
        attempt.facts |= {
            "left_out": {why: sum(row["why"] == why for row in left_out) for why in (TRAINED, OTHER)},
            "trained": None if known is None else sum(clip.clip_id in known for clip in clips),
        }

    made = once(store, STEP, result_key(STEP, EPOCH, inputs), work)
    # The same model may be called otherwise, the same clips lie elsewhere.
    return replace(made, facts={**made.facts, "model": package.title, "data": catalog.facts["data"]})


def _match(package: Packaged, dataset: Dataset, data: str) -> list[int | None]:
    """Of each label of the data, which of the model's it is: the one of its id, else of its name."""
    names, ids = list(package.document["labels"]), package.document.get("label_ids") or package.document["labels"]
    by_id, by_name = ({key: at for at, key in enumerate(keys)} for keys in (ids, names))
    places = [by_id.get(own, by_name.get(name)) for own, name in zip(dataset.label_ids, dataset.labels, strict=True)]
    if all(place is None for place in places):
        raise UserError(
            f"{package.title} knows none of the labels of {data}: it knows {_some(names)}, the data has "
            f"{_some(dataset.labels)}; name the data's labels as the model does (folders, or a CSV's column label)"
        )
    if package.document["features"] != dataset.frames.spec.model_dump():
        raise UserError(
            f"{package.title} hears by features {package.document['features']}, the patches are "
            f"{dataset.frames.spec.model_dump()}: extract the features again with the model's own"
        )
    return places


def _choose(
    store: Store,
    package: Packaged,
    catalog: Manifest,
    dataset: Dataset,
    places: Sequence[int | None],
    include_trained: bool,
) -> tuple[list[Clip], list[dict[str, str]]]:
    """The clips to score, their labels by the model's indices, and those that are left out, with the reason."""
    known = {} if include_trained else _made_of(store, package, catalog) or {}
    clips, left_out = [], []
    for clip in dataset.clips("test"):
        labels = tuple(sorted({place for label in clip.labels if (place := places[label]) is not None}))
        if clip.clip_id in known:
            left_out.append({"clip_id": clip.clip_id, "why": TRAINED, "detail": f"in its {known[clip.clip_id]} part"})
        elif not labels:
            names = ", ".join(dataset.labels[label] for label in clip.labels)
            left_out.append({"clip_id": clip.clip_id, "why": OTHER, "detail": names})
        else:
            clips.append(replace(clip, labels=labels))
    return clips, sorted(left_out, key=lambda row: row["clip_id"])


def _made_of(store: Store, package: Packaged, catalog: Manifest) -> dict[str, str] | None:
    """Clips of the catalog whose file the model was trained or chosen on, with the part; None if it does not tell."""
    if package.clips is None:
        return None
    rows = zip(column(package.clips, "sha256"), column(package.clips, "split"), strict=True)
    part = {sha256: split for sha256, split in sorted(rows, key=str) if split in ("train", "validation")}
    table = read_table(catalog.files["clips.parquet"].read(store))
    both_ids = zip(column(table, "clip_id"), column(table, "sha256"), strict=True)
    return {clip_id: part[sha256] for clip_id, sha256 in both_ids if sha256 in part}


def _evaluate(
    attempt: Attempt,
    package: Packaged,
    opened: Dataset,
    patches: Manifest,
    dataset: Manifest,
    clips: list[Clip],
    places: Sequence[int | None],
    progress: Progress,
) -> None:
    from earmark.architectures import count
    from earmark.evaluation.model import model_of, score_clip
    from earmark.evaluation.timelines import timelines

    model = model_of(package.weights, dict(package.document))
    scores_NC = np.empty((len(clips), len(model.labels)), np.float32)
    targets_NC = np.zeros_like(scores_NC)
    for number, clip in enumerate(clips):
        scores_NC[number] = score_clip(model, opened.frames.clip(clip.shard, clip.first_row, clip.rows)).scores_C
        targets_NC[number, list(clip.labels)] = 1
        progress.update(number + 1, len(clips), "clips")
    attempt.put("scores-test.parquet", write_table(scores_table(clips, scores_NC)))
    table = read_table(dataset.files["dataset.parquet"].read(attempt.store))
    group_of = dict(zip(column(table, "clip_id"), column(table, "group"), strict=True))
    groups = [group_of[clip.clip_id] for clip in clips]
    single_label = all(len(clip.labels) == 1 for clip in clips)
    tables = split_tables(targets_NC, scores_NC, groups, model.labels, single_label, model.evaluate, SEED)
    trust = None
    if model.calibration is not None:
        trust = {"test": both(targets_NC, scores_NC, model.calibration)}
        attempt.put_json("calibration.json", model.calibration.to_json())
    clip_digest = digest(sorted([clip.clip_key, [model.labels[c] for c in clip.labels]] for clip in clips))
    attempt.put_json(
        "metrics.json",
        {
            "schema_version": 1,
            "digest": clip_digest,
            "single_label": single_label,
            "confidence": model.evaluate.confidence,
            "confusion": tables["confusion"],
            "calibration": trust,
            "test": tables,
        },
    )
    found = read_table(patches.files["facts.parquet"].read(attempt.store))
    seconds = dict(zip(column(found, "clip_key"), column(found, "seconds"), strict=True))
    attempt.put_json("timelines.json", {"schema_version": 1, "clips": timelines(model, opened, clips, seconds)})
    counts = count(model.network)
    attempt.facts = {
        "name": package.document["architecture"]["name"],
        "digest": clip_digest,
        "clips": {"test": len(clips)},
        "test": tables["summary"],
        "labels": dict(_labels(package, opened, places)),
        "calibration": brief(model.calibration, trust) if model.calibration and trust else None,
        "weights": counts.weights,
        "multiplies": counts.multiplies,
    }


def _labels(package: Packaged, dataset: Dataset, places: Sequence[int | None]) -> Iterator[tuple[str, list[str]]]:
    names = list(package.document["labels"])
    common = sorted({place for place in places if place is not None})
    yield "common", [names[place] for place in common]
    yield "model_only", [name for place, name in enumerate(names) if place not in common]
    yield "data_only", [name for name, place in zip(dataset.labels, places, strict=True) if place is None]


def _nothing_left(
    package: Packaged, data: str, left_out: Sequence[Mapping[str, str]], findings: Mapping[str, int]
) -> UserError:
    trained = sum(row["why"] == TRAINED for row in left_out)
    if trained:
        return UserError(
            f"{package.title} was trained or chosen on {trained} of the {len(left_out)} clips of {data}, and no other "
            "can be scored: give clips that it never met, or --include-trained to see how well it remembers"
        )
    told = ", ".join(f"{count} {finding}" for finding, count in findings.items())
    return UserError(f"no clip of {data} can be scored ({told or OTHER}): give other clips")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
