"""Instantaneous outputs: what the network says while a window slides over a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.catalog import Clip, Dataset
from earmark.evaluation.model import Model, score_windows
from earmark.evaluation.windows import FRAMES_PER_SECOND, excerpt
from earmark.features import PATCH_FRAMES

HOP_FRAMES = 10
"""0.1 s between outputs."""
MOST_CLIPS = 6
MOST_LABELS = 5


def timelines(
    model: Model, dataset: Dataset, clips: Sequence[Clip], seconds: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Outputs every 0.1 s over at most ten seconds of a few test clips, of those labels that peak highest.

    Args:
        model: the network.
        dataset: where the frames are.
        clips: the test clips, their labels by the network's own indices.
        seconds: duration of each clip by its key; what was padded to fill a patch is not shown.
    """
    return [_timeline(model, dataset, clip, seconds[clip.clip_key]) for clip in choose(clips)]


def choose(clips: Sequence[Clip]) -> list[Clip]:
    """One clip for each of up to six labels, spread evenly over those that have clips; the same for every network."""
    labels = sorted({label for clip in clips for label in clip.labels})
    wanted = [labels[round(i)] for i in np.linspace(0, len(labels) - 1, min(MOST_CLIPS, len(labels)))]
    chosen: list[Clip] = []
    for label in wanted:
        clip = next((c for c in clips if label in c.labels and c not in chosen), None)
        if clip is not None:
            chosen.append(clip)
    return chosen


def timeline_of_frames(model: Model, frames_TF: NDArray[Any], seconds: float, labels: Sequence[int]) -> dict[str, Any]:
    """Outputs over a clip's loudest ten seconds: ``start_s``, ``seconds``, ``labels``, ``times_s`` (of the windows'
    centres, from the start), ``outputs`` (label and scores; the clip's own labels first, then those that peak highest).

    Args:
        model: the network.
        frames_TF: the clip's stored frames.
        seconds: the clip's duration; what was padded to fill a patch is not shown.
        labels: the clip's own, by the network's indices.
    """
    sounding = min(len(frames_TF), max(1, round(seconds * FRAMES_PER_SECOND)))
    first, length = excerpt(frames_TF[:sounding], model.features)
    last = max(0, length - PATCH_FRAMES)
    starts_P = np.arange(0, last + 1, HOP_FRAMES, dtype=np.int64)
    first = min(first, len(frames_TF) - PATCH_FRAMES)
    scores_PC, _ = score_windows(model, frames_TF, first + starts_P)
    peaks = np.argsort(-scores_PC.max(axis=0), kind="stable")[:MOST_LABELS].tolist()
    shown = [*labels, *(c for c in peaks if c not in labels)][:MOST_LABELS]
    return {
        "start_s": first / FRAMES_PER_SECOND,
        "seconds": length / FRAMES_PER_SECOND,
        "labels": list(labels),
        "times_s": [round((s + PATCH_FRAMES / 2) / FRAMES_PER_SECOND, 3) for s in starts_P.tolist()],
        "outputs": [{"label": c, "scores": [round(float(v), 4) for v in scores_PC[:, c]]} for c in shown],
    }


def _timeline(model: Model, dataset: Dataset, clip: Clip, seconds: float) -> dict[str, Any]:
    frames_TF = dataset.frames.clip(clip.shard, clip.first_row, clip.rows)
    outputs = timeline_of_frames(model, frames_TF, seconds, clip.labels)
    return {"clip_id": clip.clip_id, "clip_key": clip.clip_key, **outputs}
