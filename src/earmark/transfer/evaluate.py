"""The step ``evaluate_head``: the scores that ``evaluate_model`` gives, from stored embeddings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.catalog import Dataset
from earmark.catalog.content import column
from earmark.config import Config, result_key
from earmark.errors import UserError
from earmark.evaluation.evaluate import SPLITS, write_scores
from earmark.progress import Progress
from earmark.store import Attempt, Manifest, Store, once
from earmark.store.tables import read_table
from earmark.transfer.embed import FACTS, WINDOWS
from earmark.transfer.stored import Embeddings

if TYPE_CHECKING:
    from earmark.architectures import Network

STEP = "evaluate_head"
EPOCH = 1


def evaluate_head(
    store: Store,
    checkpoint: Manifest,
    dataset: Manifest,
    embedded: Manifest,
    patches: Manifest,
    config: Config,
    progress: Progress,
) -> Manifest:
    """Score a head on the validation and the test part, and write what ``evaluate_model`` writes.

    Where the embeddings came without their network there are no timelines.

    Args:
        store: of the results.
        checkpoint: of ``train_head``; or of ``train_model``, if its trunk is the one that made the embeddings.
        dataset: clips and labels.
        embedded: their embeddings.
        patches: their frames; empty where the embeddings came without sound.
        config: of the variant.
        progress: told of the clips.

    Raises:
        UserError: the head was fitted for other labels, on other embeddings, or scores clips at other windows.
    """
    for manifest in (checkpoint, dataset, embedded, patches):
        manifest.check(store)
    parts = {"evaluate": config.evaluate, "calibration": config.calibration}
    key = result_key(STEP, EPOCH, [checkpoint.digest, dataset.digest, embedded.digest], parts, config.seed)

    def work(attempt: Attempt) -> None:
        from earmark.transfer.network import network_of

        document = json.loads(checkpoint.files["model.json"].read(store))
        opened = Dataset.open(store, dataset, patches).narrowed(config.train.labels)
        _check_fit(document, opened, checkpoint, embedded)
        network = network_of(checkpoint.files["weights.safetensors"].read(store), document)
        scores = _score(network, document["output"], opened, Embeddings(store, embedded), progress)
        write_scores(attempt, scores, document["output"], opened, checkpoint, dataset, config)
        _write_timelines(attempt, checkpoint, opened, patches)

    # The same evaluation may have been done under another variant's name.
    made = once(store, STEP, key, work)
    return replace(made, facts={**made.facts, "variant": checkpoint.facts["variant"]})


def _score(
    network: Network, output: str, opened: Dataset, embeddings: Embeddings, progress: Progress
) -> dict[str, NDArray[np.float32]]:
    from earmark.transfer.network import score_embeddings

    total = sum(len(opened.clips(split)) for split in SPLITS)
    done = 0
    scores = {}
    for split in SPLITS:
        clips = opened.clips(split)
        scores[split] = np.empty((len(clips), len(opened.labels)), np.float32)
        for number, clip in enumerate(clips):
            scores[split][number] = score_embeddings(network, output, embeddings.clip(clip.clip_key)).mean(axis=0)
            done += 1
            progress.update(done, total, "clips")
    return scores


def _write_timelines(attempt: Attempt, checkpoint: Manifest, opened: Dataset, patches: Manifest) -> None:
    """Outputs over a few test clips, where there is sound to hear and a trunk to hear it."""
    shown = []
    if FACTS in patches.files:
        from earmark.evaluation import load_model
        from earmark.evaluation.timelines import timelines

        found = read_table(patches.files[FACTS].read(attempt.store))
        seconds = dict(zip(column(found, "clip_key"), column(found, "seconds"), strict=True))
        shown = timelines(load_model(attempt.store, checkpoint), opened, opened.clips("test"), seconds)
    attempt.put_json("timelines.json", {"schema_version": 1, "clips": shown})


def _check_fit(document: Mapping[str, Any], opened: Dataset, checkpoint: Manifest, embedded: Manifest) -> None:
    variant = checkpoint.facts["variant"]
    if list(document["labels"]) != opened.labels:
        raise UserError(
            f"{variant} was fitted for {len(document['labels'])} labels that are not the dataset's "
            f"{len(opened.labels)}: fit it on this dataset"
        )
    if document["embedding_size"] != embedded.facts["size"]:
        raise UserError(
            f"{variant} takes embeddings of {document['embedding_size']} values, these have {embedded.facts['size']}: "
            "give those that it was fitted on"
        )
    for name in WINDOWS:
        theirs, ours = document["evaluate"][name], embedded.facts[name]
        if document.get("trunk", True) and theirs != ours:
            raise UserError(
                f"{variant} scores clips at evaluate.{name} {theirs} and these embeddings were made at {ours}: "
                "embed the dataset with the variant's evaluate values"
            )
