"""Scores of a clip whose frames come in pieces: the clip's own, as ``score_clip`` has them, and a timeline's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from earmark.evaluation.model import score_windows
from earmark.evaluation.windows import FRAMES_PER_SECOND
from earmark.features import MEL_BANDS, PATCH_FRAMES, silent_frames

if TYPE_CHECKING:
    from earmark.evaluation import Model


AT_ONCE = 12
"""Windows that are scored together, always so many but at the end: what the network keeps for each size of a batch
would grow with the sizes."""


class Windows(NamedTuple):
    """Windows of a timeline that are ready."""

    starts_P: NDArray[np.int64]
    """First frames."""
    scores_PC: NDArray[np.float32]


class Grid:
    """First frames of windows a hop apart, as frames come; as ``patch_starts``, the last window ends with the clip."""

    def __init__(self, hop_seconds: float) -> None:
        self.hop = max(1, round(hop_seconds * FRAMES_PER_SECOND))
        self.next = 0

    def take(self, rows: int, ended: bool) -> NDArray[np.int64]:
        """Those of the first ``rows`` frames that were not taken yet; the last one of all where the clip ends there."""
        last = rows - PATCH_FRAMES
        starts_P = np.arange(self.next, last + 1, self.hop, dtype=np.int64)
        self.next += len(starts_P) * self.hop
        return np.append(starts_P, last) if ended and last % self.hop else starts_P


class Scorer:
    """Scores a clip by pieces, in memory that does not grow with it.

    Windows have the very scores that ``score_clip`` gives them, and the clip has their mean to 1e-6: sums of a batch in
    float32, as there, and of the batches in float64.

    Args:
        model: the network.
        timeline_hop: seconds between the windows of a timeline, None for none.
        at_once: score as soon as there are so many windows.
    """

    def __init__(self, model: Model, timeline_hop: float | None = None, at_once: int = AT_ONCE) -> None:
        self._model, self._at_once = model, at_once
        self._clip = Grid(model.evaluate.hop_seconds)
        self._timeline = Grid(timeline_hop) if timeline_hop is not None else None
        self._frames_TF = np.empty((0, MEL_BANDS), model.features.storage)
        self._first = self._rows = 0
        self._waiting = _Waiting.none()
        self._sounded = False
        self._sum_C, self._count = np.zeros(len(model.labels)), 0

    def add(self, frames_TF: NDArray[Any]) -> Windows:
        """Take the next stored frames (T, 64); the timeline's windows that are ready by now."""
        self._take(frames_TF, ended=False)
        return self._score(len(self._waiting.starts_P) // self._at_once * self._at_once)

    def end(self) -> Windows:
        """No more frames come: the timeline's last windows."""
        assert self._rows >= PATCH_FRAMES, "a clip of less than a patch has no windows"
        self._take(self._frames_TF[:0], ended=True)
        return self._score(len(self._waiting.starts_P))

    @property
    def scores_C(self) -> NDArray[np.float32]:  # noqa: N802  (a shape)
        """The clip's score of each label, of the windows so far: their mean."""
        return (self._sum_C / max(1, self._count)).astype(np.float32)

    def _take(self, frames_TF: NDArray[Any], ended: bool) -> None:
        """Keep the frames, and queue the windows that are whole with them."""
        self._frames_TF = np.concatenate([self._frames_TF, frames_TF])
        self._rows += len(frames_TF)
        clip_P = self._used(self._clip.take(self._rows, ended))
        time_P = self._timeline.take(self._rows, ended) if self._timeline is not None else clip_P[:0]
        starts_P = np.union1d(clip_P, time_P)
        queued = _Waiting(starts_P, np.isin(starts_P, clip_P), np.isin(starts_P, time_P))
        self._waiting = self._waiting.then(queued)

    def _used(self, starts_P: NDArray[np.int64]) -> NDArray[np.int64]:
        """The windows that count for the clip: silent ones only as long as it has no others."""
        before = np.concatenate([[0], np.cumsum(silent_frames(self._frames_TF, self._model.features))])
        at_P = starts_P - self._first
        silent_P = (before[at_P + PATCH_FRAMES] - before[at_P]) / PATCH_FRAMES
        sounding_P = silent_P <= self._model.evaluate.max_silent_share
        if sounding_P.any() and not self._sounded:
            self._sounded, self._count = True, 0
            self._sum_C[:] = 0.0
            self._waiting = self._waiting.only_shown()
        return starts_P[sounding_P] if self._sounded else starts_P

    def _score(self, count: int) -> Windows:
        """Score the first windows of the queue, and let go of the frames that no later window can hold."""
        now, self._waiting = self._waiting.split(count)
        scores_PC = np.empty((0, len(self._model.labels)), np.float32)
        for first in range(0, count, self._at_once):
            starts_P = now.starts_P[first : first + self._at_once] - self._first
            counts_P = now.counts_P[first : first + self._at_once]
            batch_PC, _ = score_windows(self._model, self._frames_TF, starts_P)
            if counts_P.any():
                self._sum_C += batch_PC[counts_P].mean(axis=0).astype(np.float64) * counts_P.sum()
                self._count += int(counts_P.sum())
            scores_PC = np.concatenate([scores_PC, batch_PC])
        grids = [self._clip] if self._timeline is None else [self._clip, self._timeline]
        # The last window may start up to a hop before the next.
        needed = [grid.next - grid.hop for grid in grids] + self._waiting.starts_P[:1].tolist()
        drop = max(0, min(needed) - self._first)
        self._frames_TF, self._first = self._frames_TF[drop:], self._first + drop
        return Windows(now.starts_P[now.shown_P], scores_PC[now.shown_P])


class _Waiting(NamedTuple):
    """Windows that wait to be scored, in order of their starts."""

    starts_P: NDArray[np.int64]
    counts_P: NDArray[np.bool_]
    """Whether the window counts for the clip."""
    shown_P: NDArray[np.bool_]
    """Whether it is one of the timeline's."""

    @staticmethod
    def none() -> _Waiting:
        return _Waiting(np.empty(0, np.int64), np.empty(0, bool), np.empty(0, bool))

    def then(self, more: _Waiting) -> _Waiting:
        """These and those."""
        starts_P, counts_P, shown_P = (np.concatenate(pair) for pair in zip(self, more, strict=True))
        return _Waiting(starts_P, counts_P, shown_P)

    def split(self, count: int) -> tuple[_Waiting, _Waiting]:
        """The first so many, and the others."""
        starts_P, counts_P, shown_P = self
        first = _Waiting(starts_P[:count], counts_P[:count], shown_P[:count])
        return first, _Waiting(starts_P[count:], counts_P[count:], shown_P[count:])

    def only_shown(self) -> _Waiting:
        """None of them counts."""
        return _Waiting(self.starts_P[self.shown_P], np.zeros(self.shown_P.sum(), bool), self.shown_P[self.shown_P])
