"""One network's curves on their way to MLflow, by a thread of their own: training never waits, and never dies of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mlflow import MlflowClient

from earmark.progress import Progress
from earmark.tracking.connection import cause_of, connect, shown_uri, tracking_uri
from earmark.tracking.context import DatasetFacts, RunContext
from earmark.tracking.left import deliver_left
from earmark.tracking.outbox import Outbox, Sender, left_behind
from earmark.tracking.points import Point, deliver, now_ms, points_of
from earmark.tracking.runs import child_run, is_ours, log_dataset, log_figures, log_params, log_tags, parent_run
from earmark.tracking.system import System

FLUSH_SECONDS = 2.0
RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 0.2
FINISH_SECONDS = 20.0
MAX_POINTS = 500_000
"""What waits for MLflow at most; the whole curves are among the training's results, and come with the run's end."""

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
        self._dropped, self._adopted = 0, False
        self._adopt_left()
        self._end: _End | None = None
        self._ending, self._given_up, self._done = threading.Event(), threading.Event(), threading.Event()
        self._cause: str | None = None
        self._thread = threading.Thread(target=self._work, name=f"mlflow-{name}", daemon=True)
        self._thread.start()

    def _adopt_left(self) -> None:
        """Take over what an attempt that was killed, or MLflow's outage, left of this network."""
        sender = Sender(self._context, self._dataset, self._key, self._name, self._params, self._started_ms)
        self._outbox = Outbox(self._uri, sender)
        for waiting in left_behind(self._uri, self._context, self._key):
            self._adopted = True
            self._note_points(waiting.points)
            self.tag(waiting.tags)

    def log(self, part: str, row: Mapping[str, float | None]) -> None:
        """Note a row of curves; never waits.

        Args:
            part: ``train`` or ``validation``; the metrics' names start with it.
            row: ``step`` (the optimiser's) and values by name; a value of None is left out.
        """
        self._note_points(points_of(part, row, now_ms()))

    def tag(self, tags: Mapping[str, str]) -> None:
        """Note tags of the run, replacing those of the same names; never waits."""
        with self._lock:
            self._tags |= tags
            self._outbox.add(tags=dict(tags))

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
        delivered = self._done.is_set()
        if not delivered:
            self._outbox.add(end=asdict(self._end))
            self._progress.note(self._missing())
        self._outbox.close(delivered=delivered)

    def _missing(self) -> str:
        with self._lock:
            missing = f"{len(self._points) + self._dropped} metric points and the run's end"
        text = f"MLflow ({shown_uri(self._uri)}): {missing} of {self._name} not delivered ({self._cause})"
        if self._outbox.lost or self._dropped:
            return f"{text}; the run's last step writes the curves from the training's result"
        return f"{text}; they wait in {self._outbox.path} and go with the run's next step or attempt on this machine"

    def _note_points(self, points: list[Point]) -> None:
        with self._lock:
            if len(self._points) + len(points) > MAX_POINTS:
                self._dropped += len(points)
                return
            self._points += points
            self._outbox.add_points(points)

    def _work(self) -> None:
        client: MlflowClient | None = None
        run_id, known = "", None
        system = System(self._uri)
        while not self._done.is_set() and not self._given_up.is_set():
            try:
                client = client or connect(self._uri)
                if not run_id:
                    run_id, known = self._open(client)
                    deliver_left(client, self._uri, self._context)
                if busy := system.figures():
                    seconds = (now_ms() - self._started_ms) // 1000
                    self.log("system", {"step": seconds, **busy})
                self._flush(client, run_id, known)
            except Exception as error:  # whatever MLflow does, it is no reason to stop training
                # It may have taken what it did not confirm: from now on its points are looked at before more go there.
                known = {}
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
        if is_ours(client, parent):
            client.update_run(parent, status="RUNNING")
        client.update_run(run_id, status="RUNNING")
        # seconds since the run's first attempt are the steps of the machine's figures
        self._started_ms = client.get_run(run_id).info.start_time
        log_params(client, run_id, self._params)
        log_dataset(client, run_id, self._dataset)
        return run_id, None if new and not self._adopted else {}

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
                if not self._points and not self._tags:
                    self._outbox.clear()
        if end is not None:
            log_figures(client, run_id, end.metrics)
            if end.cause:
                client.set_tag(run_id, "earmark.cause", end.cause)
            client.set_terminated(run_id, end.status)
            self._done.set()

    def _complain(self, error: Exception) -> None:
        if self._cause is None:
            text = f"MLflow ({shown_uri(self._uri)}) does not take the figures of {self._name}; training goes on"
            self._progress.note(f"{text}, delivery is tried again ({cause_of(error, self._uri)})")
        self._cause = cause_of(error, self._uri)

    def _pause(self, seconds: float) -> None:
        if self._ending.is_set():
            self._given_up.wait(LAST_RETRY_SECONDS)
        else:
            self._ending.wait(seconds)
