"""One network's curves on their way to MLflow, by a thread of their own: training never waits, and never dies of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mlflow import MlflowClient

from earmark.progress import Progress
from earmark.tracking.connection import connect, one_line, tracking_uri
from earmark.tracking.context import DatasetFacts, RunContext
from earmark.tracking.points import Point, deliver, now_ms, points_of
from earmark.tracking.runs import child_run, log_dataset, log_figures, log_params, log_tags, parent_run

FLUSH_SECONDS = 2.0
RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 0.2
FINISH_SECONDS = 20.0

Status = Literal["FINISHED", "FAILED", "KILLED"]


class Tracker:
    """A pipeline run in MLflow, at ``MLFLOW_TRACKING_URI``, on one dataset."""

    def __init__(self, context: RunContext, dataset: DatasetFacts, progress: Progress) -> None:
        self.context, self.dataset, self.progress = context, dataset, progress

    def child(self, key: str, name: str, params: Mapping[str, object]) -> ChildRun:
        """Begin, or go on with, the run of one network; returns at once.

        Args:
            key: the result key of its training: a retried step goes on with the run of that key.
            name: the variant's name.
            params: flat, by dotted names with units in them (see :func:`flat`).
        """
        return ChildRun(self.context, self.dataset, key, name, params, self.progress)


@dataclass(frozen=True)
class _End:
    status: Status
    cause: str
    metrics: dict[str, float]


class ChildRun:
    """The run of one network. ``log`` and ``finish`` may be called from any thread."""

    def __init__(
        self,
        context: RunContext,
        dataset: DatasetFacts,
        key: str,
        name: str,
        params: Mapping[str, object],
        progress: Progress,
    ) -> None:
        self._context, self._dataset, self._key, self._name = context, dataset, key, name
        self._params, self._progress = dict(params), progress
        self._uri, self._started_ms = tracking_uri(), now_ms()
        self._lock = threading.Lock()
        self._points: list[Point] = []
        self._tags: dict[str, str] = {}
        self._end: _End | None = None
        self._ending, self._given_up, self._done = threading.Event(), threading.Event(), threading.Event()
        self._cause: str | None = None
        self._thread = threading.Thread(target=self._work, name=f"mlflow-{name}", daemon=True)
        self._thread.start()

    def log(self, part: str, row: Mapping[str, float | None]) -> None:
        """Note a row of curves; never waits.

        Args:
            part: ``train`` or ``validation``; the metrics' names start with it.
            row: ``step`` (the optimiser's) and values by name; a value of None is left out.
        """
        points = points_of(part, row, now_ms())
        with self._lock:
            self._points += points

    def tag(self, tags: Mapping[str, str]) -> None:
        """Note tags of the run, replacing those of the same names; never waits."""
        with self._lock:
            self._tags |= tags

    def finish(
        self,
        status: Status = "FINISHED",
        metrics: Mapping[str, float] | None = None,
        *,
        cause: str = "",
        deadline_seconds: float = FINISH_SECONDS,
    ) -> None:
        """Deliver what is left and close the run, within the deadline; says what could not be delivered.

        Args:
            status: how training ended.
            metrics: final figures, without a step of their own.
            cause: why it failed, in a line.
            deadline_seconds: the longest that this call takes.
        """
        self._end = _End(status, cause, dict(metrics or {}))
        self._ending.set()
        self._done.wait(deadline_seconds)
        self._given_up.set()
        if not self._done.is_set():
            with self._lock:
                missing = f"{len(self._points)} metric points and the run's end"
            self._progress.note(f"MLflow ({self._uri}): {missing} of {self._name} not delivered ({self._cause})")

    def _work(self) -> None:
        client: MlflowClient | None = None
        run_id, known = "", None
        while not self._done.is_set() and not self._given_up.is_set():
            try:
                client = client or connect(self._uri)
                if not run_id:
                    run_id, known = self._open(client)
                self._flush(client, run_id, known)
            except Exception as error:  # whatever MLflow does, it is no reason to stop training
                self._complain(error)
                self._pause(RETRY_SECONDS)
            else:
                self._cause = None
                self._pause(FLUSH_SECONDS)

    def _open(self, client: MlflowClient) -> tuple[str, dict[str, set[int]] | None]:
        """The run's id and, where an earlier attempt wrote to it, an empty table of the steps it has."""
        parent = parent_run(client, self._context, self._dataset.digest)
        named = self._key, self._name, self._dataset.digest
        run_id, new = child_run(client, self._context, parent, *named, self._started_ms)
        for each in (parent, run_id):
            client.update_run(each, status="RUNNING")
        log_params(client, run_id, self._params)
        log_dataset(client, run_id, self._dataset)
        return run_id, None if new else {}

    def _flush(self, client: MlflowClient, run_id: str, known: dict[str, set[int]] | None) -> None:
        with self._lock:
            end, points, tags = self._end, list(self._points), dict(self._tags)
        if tags:
            log_tags(client, run_id, tags)
            with self._lock:
                self._tags = {name: value for name, value in self._tags.items() if tags.get(name) != value}
        delivered = 0
        try:
            for through in deliver(client, run_id, points, known):
                delivered = through
        finally:
            with self._lock:
                del self._points[:delivered]
        if end is not None:
            log_figures(client, run_id, end.metrics)
            if end.cause:
                client.set_tag(run_id, "earmark.cause", end.cause)
            client.set_terminated(run_id, end.status)
            self._done.set()

    def _complain(self, error: Exception) -> None:
        if self._cause is None:
            text = f"MLflow ({self._uri}) does not take the figures of {self._name}; training goes on"
            self._progress.note(f"{text}, delivery is tried again ({one_line(error)})")
        self._cause = one_line(error)

    def _pause(self, seconds: float) -> None:
        if self._ending.is_set():
            self._given_up.wait(LAST_RETRY_SECONDS)
        else:
            self._ending.wait(seconds)
