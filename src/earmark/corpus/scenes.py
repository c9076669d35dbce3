"""The plan of scenes: which stretch of which clip sounds when and how loud. Pure: the seed alone decides.

Letters: N samples, K frames of 10 ms, C labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.features import SAMPLE_RATE

FRAME = SAMPLE_RATE // 100
SILENCE_DB = -60.0
"""Below a clip's loudest frame by so much, its beginning and end are trimmed: recordings are filled up with zeros."""
SHORTEST_S, LONGEST_S = 1.0, 4.0
"""An event lasts between these, or as long as its clip sounds."""
LEAST_S = 0.05
"""A clip that sounds for less is no source."""
ONSETS_TRIED = 4
"""So many onsets are drawn to find one where nothing else sounds; the last is taken in any case."""
BED_DBFS = (-45.0, -30.0)
"""Level of the bed."""


@dataclass(frozen=True)
class Mix:
    """How scenes are made.

    Attributes:
        scenes: how many, over all splits.
        seconds: length of each.
        events: fewest and most in a scene.
        snr_db: lowest and highest level of an event over the bed.
        skew: labels are drawn in proportion to rank ** -skew; 0 draws all alike.
        seed: everything random is a function of it.
    """

    scenes: int = 2000
    seconds: float = 10.0
    events: tuple[int, int] = (1, 4)
    snr_db: tuple[float, float] = (0.0, 15.0)
    skew: float = 0.5
    seed: int = 0


@dataclass(frozen=True)
class Source:
    """A labelled clip: its place in the data root, its split, and the names of its labels; the key tells its bytes."""

    key: str
    clip_id: str
    uri: str
    start_s: float | None
    end_s: float | None
    labels: tuple[str, ...]
    split: str


@dataclass(frozen=True)
class Heard:
    """Where a source sounds, in samples at 16 kHz: from ``first`` on, ``length`` of them, loudest at ``loudest``."""

    first: int
    length: int
    loudest: int


@dataclass(frozen=True)
class Event:
    """A stretch of a source in a scene, in samples: ``length`` from ``first`` of the source, at ``onset``."""

    source: Source
    first: int
    onset: int
    length: int
    snr_db: float


@dataclass(frozen=True)
class Scene:
    """A scene before it sounds.

    Attributes:
        name: ``train-00001``.
        split: of all its sources.
        events: in order of onset.
        slope: the bed's power falls with frequency ** -slope.
        bed_dbfs: its level.
    """

    name: str
    split: str
    events: tuple[Event, ...]
    slope: float
    bed_dbfs: float

    @property
    def labels(self) -> list[str]:
        """What sounds in it, by name."""
        return sorted({label for event in self.events for label in event.source.labels})


def heard(mono_N: NDArray[np.float32]) -> Heard | None:
    """Where a clip sounds; None if it hardly does."""
    count = len(mono_N) // FRAME
    power_K = np.square(mono_N[: count * FRAME].reshape(count, FRAME)).mean(1) if count else np.zeros(0)
    if not count or not power_K.max() > 0:
        return None
    loud = np.flatnonzero(power_K >= power_K.max() * 10 ** (SILENCE_DB / 10))
    first, length = int(loud[0]) * FRAME, int(loud[-1] + 1 - loud[0]) * FRAME
    return Heard(first, length, int(power_K.argmax()) * FRAME) if length >= LEAST_S * SAMPLE_RATE else None


def plan(mix: Mix, sources: Mapping[Source, Heard], splits: Sequence[str]) -> list[Scene]:
    """All scenes; those of a split in proportion to its sources, one at least."""
    names = sorted({label for source in sources for label in source.labels})
    order = rng_of(mix.seed, "labels").permutation(len(names))
    weights = {names[label]: float(rank + 1) ** -mix.skew for rank, label in enumerate(order.tolist())}
    scenes: list[Scene] = []
    for split, count in _counts(mix.scenes, sources, splits).items():
        by_label = {
            name: sorted((s for s in sources if s.split == split and name in s.labels), key=lambda s: s.clip_id)
            for name in names
        }
        there = {name: found for name, found in by_label.items() if found}
        scenes += [
            _scene(mix, f"{split}-{number:05d}", split, there, sources, weights) for number in range(1, count + 1)
        ]
    return scenes


def rng_of(seed: int, *parts: str) -> np.random.Generator:
    """A generator of its own for each thing that is drawn."""
    text = "\0".join((str(seed), *parts)).encode()
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text).digest()[:16], "big"))


def _counts(scenes: int, sources: Mapping[Source, Heard], splits: Sequence[str]) -> dict[str, int]:
    clips = {split: sum(source.split == split for source in sources) for split in splits}
    counts = {split: max(1, round(scenes * clips[split] / len(sources))) for split in splits}
    counts[max(splits, key=counts.__getitem__)] += scenes - sum(counts.values())
    return counts


def _scene(
    mix: Mix,
    name: str,
    split: str,
    by_label: Mapping[str, Sequence[Source]],
    sources: Mapping[Source, Heard],
    weights: Mapping[str, float],
) -> Scene:
    rng = rng_of(mix.seed, name)
    labels = list(by_label)
    share_C = np.array([weights[label] for label in labels])
    samples = round(mix.seconds * SAMPLE_RATE)
    events: list[Event] = []
    for _ in range(int(rng.integers(mix.events[0], mix.events[1] + 1))):
        clips = by_label[labels[int(rng.choice(len(labels), p=share_C / share_C.sum()))]]
        source = clips[int(rng.integers(len(clips)))]
        where = sources[source]
        length = min(round(rng.uniform(SHORTEST_S, LONGEST_S) * SAMPLE_RATE), where.length, samples)
        # The stretch holds the loudest frame: what is labelled is heard.
        earliest = max(where.first, where.loudest + FRAME - length)
        latest = min(where.loudest, where.first + where.length - length)
        first = int(rng.integers(earliest, max(earliest, latest) + 1))
        onset = _onset(rng, events, length, samples)
        events.append(Event(source, first, onset, length, float(rng.uniform(*mix.snr_db))))
    events.sort(key=lambda event: (event.onset, event.source.clip_id))
    return Scene(name, split, tuple(events), float(rng.uniform(0, 2)), float(rng.uniform(*BED_DBFS)))


def _onset(rng: np.random.Generator, events: Sequence[Event], length: int, samples: int) -> int:
    onset = 0
    for _ in range(ONSETS_TRIED):
        onset = int(rng.integers(0, samples - length + 1))
        if all(onset + length <= event.onset or event.onset + event.length <= onset for event in events):
            break
    return onset
