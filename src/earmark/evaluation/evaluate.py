"""The step ``evaluate_model``: every validation and test clip scored, and what the scores are worth."""

from __future__ import annotations

from collections.abc import Mapping
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
EPOCH = 4
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
        opened = Dataset.open(store, dataset, patches).narrowed(config.train.labels)
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

    total = sum(len(opened.clips(split)) for split in SPLITS)
    done = 0
    scores: dict[str, NDArray[np.float32]] = {}
    for split in SPLITS:
        clips = opened.clips(split)
        scores[split] = np.empty((len(clips), len(model.labels)), np.float32)
        for number, clip in enumerate(clips):
            frames_TF = opened.frames.clip(clip.shard, clip.first_row, clip.rows)
            scores[split][number] = score_clip(model, frames_TF).scores_C
            done += 1
            progress.update(done, total, "clips")
    write_scores(attempt, scores, model.output, opened, checkpoint, dataset, config)
    found = read_table(patches.files["facts.parquet"].read(attempt.store))
    seconds = dict(zip(column(found, "clip_key"), column(found, "seconds"), strict=True))
    shown = timelines(model, opened, opened.clips("test"), seconds)
    attempt.put_json("timelines.json", {"schema_version": 1, "clips": shown})


def write_scores(
    attempt: Attempt,
    scores: Mapping[str, NDArray[np.float32]],
    output: str,
    opened: Dataset,
    checkpoint: Manifest,
    dataset: Manifest,
    config: Config,
) -> None:
    """Write what clips' scores are worth: scores, tables, calibration; all facts of an evaluation.

    Args:
        attempt: of the result.
        scores: of each part, (N, C): the clips of ``opened`` in its order, one column each of its labels.
        output: sigmoid or softmax.
        opened: the clips and labels that the network was trained for.
        checkpoint: the network's.
        dataset: what it was trained on.
        config: of the variant; ``evaluate.labels`` says which labels the tables count.
    """
    table = read_table(dataset.files["dataset.parquet"].read(attempt.store))
    group_of = dict(zip(column(table, "clip_id"), column(table, "group"), strict=True))
    counted = opened.narrowed(config.evaluate.labels)
    columns = [opened.labels.index(label) for label in counted.labels]
    tables: dict[str, Any] = {}
    scored: dict[str, Scored] = {}
    for split in SPLITS:
        clips = opened.clips(split)
        attempt.put(f"scores-{split}.parquet", write_table(scores_table(clips, scores[split])))
        scored[split] = Scored(opened.targets(split), scores[split], [group_of[clip.clip_id] for clip in clips])
        row = {clip.clip_key: number for number, clip in enumerate(clips)}
        rows = [row[clip.clip_key] for clip in counted.clips(split)]
        tables[split] = split_tables(
            counted.targets(split),
            scores[split][rows][:, columns],
            [scored[split].groups[number] for number in rows],
            counted.labels,
            opened.single_label,
            config.evaluate,
            config.seed,
        )
    calibration, trust = fit(scored["validation"], scored["test"], output, config.calibration)
    attempt.put_json("calibration.json", calibration.to_json())
    identity = {"variant": checkpoint.facts["variant"], "name": checkpoint.facts["name"]}
    digest = counted.evaluated_digest("test")
    attempt.put_json(
        "metrics.json",
        {
            "schema_version": 1,
            **identity,
            "digest": digest,
            "labels": opened.labels,
            "single_label": opened.single_label,
            "confidence": config.evaluate.confidence,
            "confusion": tables["test"]["confusion"],
            "calibration": trust,
            **tables,
        },
    )
    attempt.facts = {
        **identity,
        "digest": digest,
        "labels": len(counted.labels),
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
