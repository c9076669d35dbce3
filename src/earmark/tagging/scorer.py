"""Scores of a clip whose frames come in pieces: the clip's own, as ``score_clip`` has them, and a timeline's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from earmark.evaluation.model import PATCHES_AT_ONCE, score_windows
from earmark.evaluation.windows import FRAMES_PER_SECOND
from earmark.features import PATCH_FRAMES, silent_frames

if TYPE_CHECKING:
    from earmark.evaluation import Model


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

    def ready(self, rows: int) -> int:
        """How many windows of the first ``rows`` frames were not taken yet."""
        return max(0, (rows - PATCH_FRAMES - self.next) // self.hop + 1)

    def take(self, rows: int, ended: bool) -> NDArray[np.int64]:
        """Those windows; where the clip ends with these frames, the last one with it."""
        last = rows - PATCH_FRAMES
        starts_P = np.arange(self.next, last + 1, self.hop, dtype=np.int64)
        self.next += len(starts_P) * self.hop
        return np.append(starts_P, last) if ended and last % self.hop else starts_P


class Scorer:
    """Scores a clip by pieces, in memory that does not grow with it.

    A clip of at most 256 windows is scored exactly as ``score_clip`` scores it. For a longer one the mean is summed in
    float64 over batches cut elsewhere: a difference of 1e-6 or less.

    Args:
        model: the network.
        timeline_hop: seconds between the windows of a timeline, None for none.
        at_once: score as soon as there are so many windows.
    """

    def __init__(self, model: Model, timeline_hop: float | None = None, at_once: int = PATCHES_AT_ONCE) -> None:
        self._model, self._at_once = model, at_once
        self._clip = Grid(model.evaluate.hop_seconds)
        self._timeline = Grid(timeline_hop) if timeline_hop is not None else None
        self._pieces: list[NDArray[Any]] = []
        self._first = self._rows = self._windows = 0
        self._sounded = False
        self._sum_C = np.zeros(len(model.labels))

    def add(self, frames_TF: NDArray[Any]) -> Windows:
        """Take the next stored frames (T, 64); the timeline's windows that are ready by now."""
        self._pieces.append(frames_TF)
        self._rows += len(frames_TF)
        ready = max(grid.ready(self._rows) for grid in self._grids())
        return self._score(ended=False) if ready >= self._at_once else self._none()

    def end(self) -> Windows:
        """No more frames come: the timeline's last windows."""
        assert self._rows >= PATCH_FRAMES, "a clip of less than a patch has no windows"
        return self._score(ended=True)

    @property
    def scores_C(self) -> NDArray[np.float32]:  # noqa: N802  (a shape)
        """The clip's score of each label, of the windows so far: their mean."""
        return (self._sum_C / max(1, self._windows)).astype(np.float32)

    def _score(self, ended: bool) -> Windows:
        frames_TF = np.concatenate(self._pieces)
        clip_P = self._used(frames_TF, self._clip.take(self._rows, ended))
        scores_PC = self._scores(frames_TF, clip_P)
        if len(clip_P):
            # The mean of a batch, as score_clip computes it: with one batch it is the clip's.
            self._sum_C += scores_PC.mean(axis=0).astype(np.float64) * len(clip_P)
            self._windows += len(clip_P)
        shown = self._none()
        if self._timeline is not None:
            time_P = self._timeline.take(self._rows, ended)
            other_P = np.setdiff1d(time_P, clip_P)
            starts_P = np.concatenate([clip_P, other_P])
            all_PC = np.concatenate([scores_PC, self._scores(frames_TF, other_P)])
            order_P = np.argsort(starts_P)
            at_P = order_P[np.searchsorted(starts_P[order_P], time_P)]
            shown = Windows(time_P, all_PC[at_P])
        self._keep(frames_TF)
        return shown

    def _used(self, frames_TF: NDArray[Any], starts_P: NDArray[np.int64]) -> NDArray[np.int64]:
        """The windows that count: silent ones only as long as the clip has no others."""
        before = np.concatenate([[0], np.cumsum(silent_frames(frames_TF, self._model.features))])
        at_P = starts_P - self._first
        silent_P = (before[at_P + PATCH_FRAMES] - before[at_P]) / PATCH_FRAMES
        sounding_P = silent_P <= self._model.evaluate.max_silent_share
        if sounding_P.any() and not self._sounded:
            self._sounded, self._windows = True, 0
            self._sum_C[:] = 0.0
        return starts_P[sounding_P] if self._sounded else starts_P

    def _scores(self, frames_TF: NDArray[Any], starts_P: NDArray[np.int64]) -> NDArray[np.float32]:
        if not len(starts_P):
            return np.empty((0, len(self._model.labels)), np.float32)
        return score_windows(self._model, frames_TF, starts_P - self._first)[0]

    def _keep(self, frames_TF: NDArray[Any]) -> None:
        """Drop the frames that no later window can hold; the last one may start up to a hop before the next."""
        first = max(self._first, min(grid.next - grid.hop for grid in self._grids()))
        self._pieces = [frames_TF[first - self._first :].copy()]
        self._first = first

    def _grids(self) -> list[Grid]:
        return [self._clip] if self._timeline is None else [self._clip, self._timeline]

    def _none(self) -> Windows:
        return Windows(np.empty(0, np.int64), np.empty((0, len(self._model.labels)), np.float32))
