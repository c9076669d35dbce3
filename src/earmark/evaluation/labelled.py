"""The step ``evaluate_package``: a model that is there, on any labelled sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from earmark.catalog import Clip, Dataset
from earmark.catalog.content import column
from earmark.config import digest, result_key
from earmark.evaluation.evaluate import scores_table
from earmark.evaluation.labelled_clips import (
    OTHER,
    TRAINED,
    Packaged,
    choose_clips,
    made_of,
    match_labels,
    nothing_left,
    sides,
)
from earmark.evaluation.tables import split_tables
from earmark.evaluation.trust import both, brief
from earmark.progress import Progress
from earmark.store import Attempt, Manifest, Store, once
from earmark.store.tables import read_table, write_table

STEP = "evaluate_package"
EPOCH = 1
SEED = 0
"""Of the bootstrap."""


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
        places = match_labels(package, opened, catalog.facts["data"])
        clips, left_out = choose_clips(store, package, catalog, opened, places, include_trained)
        attempt.put_json("left_out.json", left_out)
        if not clips:
            raise nothing_left(package, catalog.facts["data"], left_out, dataset.facts["findings"])
        _evaluate(attempt, package, opened, patches, dataset, clips, places, progress)
        known = made_of(store, package, catalog)
        attempt.facts |= {
            "left_out": {why: sum(row["why"] == why for row in left_out) for why in (TRAINED, OTHER)},
            "trained": None if known is None else sum(clip.clip_id in known for clip in clips),
        }

    made = once(store, STEP, result_key(STEP, EPOCH, inputs), work)
    # The same model may be called otherwise, the same clips lie elsewhere.
    return replace(made, facts={**made.facts, "model": package.title, "data": catalog.facts["data"]})


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
        "labels": sides(package, opened, places),
        "calibration": brief(model.calibration, trust) if model.calibration and trust else None,
        "weights": counts.weights,
        "multiplies": counts.multiplies,
    }
