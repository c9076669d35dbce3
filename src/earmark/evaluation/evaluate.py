"""The step ``evaluate_model``: every validation and test clip scored, and what the scores are worth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from earmark.catalog import Clip, Dataset
from earmark.catalog.content import column
from earmark.config import Config, Part, result_key
from earmark.errors import UserError
from earmark.evaluation.tables import split_tables
from earmark.evaluation.trust import Scored, brief, fit
from earmark.progress import Progress
from earmark.store import Attempt, Manifest, Store, once
from earmark.store.tables import read_table, write_table

if TYPE_CHECKING:
    from earmark.evaluation.model import Model

STEP = "evaluate_model"
EPOCH = 3
SPLITS = ("validation", "test")


def evaluate_model(
    store: Store, checkpoint: Manifest, dataset: Manifest, patches: Manifest, config: Config, progress: Progress
) -> Manifest:
    """Score a trained network on the validation and the test part.

    Files: ``scores-validation.parquet`` and ``scores-test.parquet`` (clip_id, clip_key, targets, scores),
    ``metrics.json`` (the tables of each part), ``calibration.json`` (fitted on the validation part; the scores above
    are as the network gave them), ``timelines.json`` (outputs over a few test clips). Facts: variant, name, digest of
    the evaluated test clips, scores of both parts with intervals, calibration (method, errors of both parts before and
    after), steps, seconds, weights, multiplies.

    Raises:
        UserError: the network was trained for other labels or other features.
    """
    for manifest in (checkpoint, dataset, patches):
        manifest.check(store)
    key = result_key(STEP, EPOCH, [checkpoint.digest, dataset.digest], _read(config), config.seed)

    def work(attempt: Attempt) -> None:
        # Here, so that an evaluation that is done already costs no import of torch.
        from earmark.evaluation.model import load_model

        model = load_model(store, checkpoint)
        opened = Dataset.open(store, dataset, patches)
        _check_fit(model, opened, checkpoint)
        _evaluate(attempt, model, opened, checkpoint, dataset, patches, config, progress)

    # The same evaluation may have been done under another variant's name.
    made = once(store, STEP, key, work)
    return replace(made, facts={**made.facts, "variant": checkpoint.facts["variant"]})


def _read(config: Config) -> dict[str, Part]:
    return {"evaluate": config.evaluate, "calibration": config.calibration}


def _evaluate(
    attempt: Attempt,
    model: Model,
    opened: Dataset,
    checkpoint: Manifest,
    dataset: Manifest,
    patches: Manifest,
    config: Config,
    progress: Progress,
) -> None:
    from earmark.evaluation.model import score_clip
    from earmark.evaluation.timelines import timelines

    table = read_table(dataset.files["dataset.parquet"].read(attempt.store))
    group_of = dict(zip(column(table, "clip_id"), column(table, "group"), strict=True))
    total = sum(len(opened.clips(split)) for split in SPLITS)
    tables: dict[str, Any] = {}
    scored: dict[str, Scored] = {}
    done = 0
    for split in SPLITS:
        clips = opened.clips(split)
        scores_NC = np.empty((len(clips), len(model.labels)), np.float32)
        for number, clip in enumerate(clips):
            scores_NC[number] = score_clip(model, opened.frames.clip(clip.shard, clip.first_row, clip.rows)).scores_C
            done += 1
            progress.update(done, total, "clips")
        attempt.put(f"scores-{split}.parquet", write_table(scores_table(clips, scores_NC)))
        groups = [group_of[clip.clip_id] for clip in clips]
        targets_NC = opened.targets(split)
        tables[split] = split_tables(
            targets_NC, scores_NC, groups, model.labels, opened.single_label, config.evaluate, config.seed
        )
        scored[split] = Scored(targets_NC, scores_NC, groups)
    calibration, trust = fit(scored["validation"], scored["test"], model.output, config.calibration)
    attempt.put_json("calibration.json", calibration.to_json())
    identity = {"variant": checkpoint.facts["variant"], "name": checkpoint.facts["name"]}
    digest = opened.evaluated_digest("test")
    attempt.put_json(
        "metrics.json",
        {
            "schema_version": 1,
            **identity,
            "digest": digest,
            "single_label": opened.single_label,
            "confidence": config.evaluate.confidence,
            "confusion": tables["test"]["confusion"],
            "calibration": trust,
            **tables,
        },
    )
    found = read_table(patches.files["facts.parquet"].read(attempt.store))
    seconds = dict(zip(column(found, "clip_key"), column(found, "seconds"), strict=True))
    shown = timelines(model, opened, opened.clips("test"), seconds)
    attempt.put_json("timelines.json", {"schema_version": 1, "clips": shown})
    attempt.facts = {
        **identity,
        "digest": digest,
        "clips": {split: tables[split]["clips"] for split in SPLITS},
        **{split: tables[split]["summary"] for split in SPLITS},
        "calibration": brief(calibration, trust),
        **{name: checkpoint.facts[name] for name in ("steps", "seconds", "weights", "multiplies")},
    }


def scores_table(clips: list[Clip], scores_NC: NDArray[np.float32]) -> pa.Table:
    """A row a clip: clip_id, clip_key, targets (label indices), scores (one a label)."""
    scores = pa.ListArray.from_arrays(
        pa.array(np.arange(len(clips) + 1, dtype=np.int32) * scores_NC.shape[1]), pa.array(scores_NC.ravel())
    )
    return pa.table(
        {
            "clip_id": pa.array([clip.clip_id for clip in clips], pa.string()),
            "clip_key": pa.array([clip.clip_key for clip in clips], pa.string()),
            "targets": pa.array([clip.labels for clip in clips], pa.list_(pa.int32())),
            "scores": scores,
        }
    )


def _check_fit(model: Model, dataset: Dataset, checkpoint: Manifest) -> None:
    if list(model.labels) != dataset.labels:
        raise UserError(
            f"{checkpoint.facts['variant']} was trained for {len(model.labels)} labels that are not the dataset's "
            f"{len(dataset.labels)}: train it on this dataset"
        )
    if model.features != dataset.frames.spec:
        raise UserError(
            f"{checkpoint.facts['variant']} was trained on features {model.features.model_dump()}, the patches are "
            f"{dataset.frames.spec.model_dump()}: extract the features again with the network's own"
        )
