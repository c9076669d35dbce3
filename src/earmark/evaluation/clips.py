"""Clips to look at and listen to: read from the data itself, so that no shard need be opened."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.content import column
from earmark.config import FeatureSpec
from earmark.errors import EarmarkError
from earmark.evaluation.events import Span, read_events, spans_of
from earmark.evaluation.report import Mistake, Sound, Timeline, media
from earmark.evaluation.windows import FRAMES_PER_SECOND, excerpt
from earmark.features import SAMPLE_RATE, clip_key, log_mel, quantise
from earmark.features.logmel import resample, to_mono
from earmark.features.sources import SoundFiles
from earmark.store import Manifest, Store, open_store
from earmark.store.tables import read_table

MOST_MISTAKES = 12
SOUND_BYTES = 6 * 2**20
"""Room for pictures and sounds: with what else is on it the page stays below 8 MB."""
SHADES = FeatureSpec(storage="uint8")


class Clips:
    """The dataset's clips as sounds, as long as there is room for them.

    Args:
        data: the data root.
        store: of the results.
        dataset: names the files and their digests.
        resampler: to 16 kHz.
    """

    def __init__(self, data: str, store: Store, dataset: Manifest, resampler: str) -> None:
        root, self._resampler = open_store(data), resampler
        self._files = SoundFiles(root)
        table = read_table(dataset.files["dataset.parquet"].read(store))
        wanted = table.select(["clip_id", "clip_key", "uri", "start_s", "end_s"]).to_pylist()
        self._rows = {row["clip_id"]: row for row in wanted}
        self._room = SOUND_BYTES
        self._events = read_events(root)

    @property
    def known(self) -> set[str]:
        """Ids of the dataset's clips."""
        return set(self._rows)

    def sound(self, clip_id: str, span: tuple[float, float] | None = None) -> Sound | None:
        """Picture and sound of a clip's part (start and seconds; by default the loudest ten seconds).

        None where the file is gone, has changed, or where there is no room left for a picture.
        """
        samples_N = self._samples(self._rows[clip_id])
        if samples_N is None or self._room <= 0:
            return None
        shades_TF = quantise(log_mel(samples_N, SAMPLE_RATE), SHADES)
        if not len(shades_TF):
            return None
        first, frames = excerpt(shades_TF, SHADES)
        if span is not None:
            first, frames = (round(s * FRAMES_PER_SECOND) for s in span)
        start_s, seconds = first / FRAMES_PER_SECOND, min(frames, len(shades_TF) - first) / FRAMES_PER_SECOND
        image = media.log_mel_png(shades_TF[first : first + frames])
        part_N = samples_N[round(start_s * SAMPLE_RATE) : round((start_s + seconds) * SAMPLE_RATE)]
        audio = media.mp3(part_N)
        self._room -= len(image) + len(audio)
        return Sound(clip_id, start_s, seconds, image, audio)

    def spans(self, clip_id: str, start_s: float, seconds: float) -> dict[str, list[Span]]:
        """When labels are truly heard in a clip's part, in seconds from its start; empty where nothing tells."""
        row = self._rows[clip_id]
        return spans_of(self._events, row["uri"], (row["start_s"] or 0.0) + start_s, seconds)

    def _samples(self, row: Mapping[str, Any]) -> NDArray[np.float32] | None:
        """The clip at 16 kHz, mono, if its file is still the one that was scored."""
        try:
            sha256, sound = self._files.read(row["uri"], (row["start_s"], row["end_s"]))
            if clip_key(sha256, row["start_s"], row["end_s"]) != row["clip_key"]:
                return None
        except (EarmarkError, OSError):
            return None
        return resample(to_mono(sound.samples_NC), sound.rate, self._resampler).astype(np.float32, copy=False)


def timelines_of(store: Store, metrics: Manifest, clips: Clips, labels: Sequence[str]) -> list[Timeline]:
    """Instantaneous outputs of a network, over clips that can be shown."""
    found = []
    for row in json.loads(metrics.files["timelines.json"].read(store))["clips"]:
        sound = clips.sound(row["clip_id"], (row["start_s"], row["seconds"]))
        if sound is not None:
            found.append(timeline_of(row, sound, clips, labels))
    return found


def timeline_of(row: Mapping[str, Any], sound: Sound, clips: Clips, labels: Sequence[str]) -> Timeline:
    """A row of ``timelines.json`` with the names of its labels and their true times."""
    outputs = {labels[output["label"]]: output["scores"] for output in row["outputs"]}
    spans = clips.spans(row["clip_id"], row["start_s"], row["seconds"])
    # Labels may be shown with spaces where the data has underscores.
    known = {name: spans[name] for name in spans if name in labels}
    known |= {name: spans[raw] for raw in spans if (name := raw.replace("_", " ").strip()) in labels}
    return Timeline(sound, [labels[c] for c in row["labels"]], row["times_s"], outputs, known)


def mistakes_of(store: Store, metrics: Manifest, clips: Clips, labels: Sequence[str]) -> list[Mistake]:
    """The test clips whose first-scored label is not among theirs, the surest first."""
    import pyarrow.compute as pc

    table = read_table(metrics.files["scores-test.parquet"].read(store))
    if not table.num_rows:
        return []
    scores_NC = pc.list_flatten(table["scores"]).to_numpy().reshape(table.num_rows, -1)
    targets, ids = column(table, "targets"), column(table, "clip_id")
    first_N = scores_NC.argmax(axis=1)
    wrong = [i for i, true in enumerate(targets) if true and first_N[i] not in true]
    found = []
    for i in sorted(wrong, key=lambda i: (-scores_NC[i, first_N[i]], ids[i]))[:MOST_MISTAKES]:
        sound = clips.sound(ids[i])
        if sound is not None:
            found.append(
                Mistake(
                    sound=sound,
                    truth=[labels[c] for c in targets[i]],
                    guess=labels[first_N[i]],
                    guess_score=float(scores_NC[i, first_N[i]]),
                    truth_score=float(scores_NC[i, targets[i]].max()),
                )
            )
    return found
