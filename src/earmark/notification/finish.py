"""What a run's last step does, however the run ended. Nothing here fails a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from earmark.checking.lines import one_line, without_secrets
from earmark.errors import EarmarkError
from earmark.notification.message import message_of, text_of
from earmark.notification.outcome import Outcome, outcome_of
from earmark.notification.webhook import post
from earmark.progress import Progress
from earmark.store import Store
from earmark.store.runs import FAILED, STOPPED, SUCCEEDED, Run, end
from earmark.store.usage import Usage
from earmark.tracking import end_run, tracking_uri

SAID_FAILED = "FAILED"
"""The only word of Kubeflow's that means the same everywhere."""


def finish_run(store: Store, run: str, said: str, message: str, progress: Progress) -> Outcome:
    """Record how a run ended, end what still runs of it in MLflow, and post it to the webhook where there is one.

    Args:
        store: of the run's results.
        run: its id.
        said: Kubeflow's state of the run.
        message: Kubeflow's message, used where no step said more.
        progress: told of the outcome, and of what could not be done.
    """
    try:
        outcome = outcome_of(store, run, said == SAID_FAILED, message)
    except EarmarkError as error:
        outcome = _unknown(run, said, str(error))
    recorded: Run | None = None

    def record() -> None:
        nonlocal recorded
        recorded = end(store, run, outcome.state)

    _try("the run's record", record, progress)
    stopped = recorded is not None and recorded.state == STOPPED
    if stopped:
        outcome = replace(outcome, state=STOPPED, cause="stopped by hand")
    if outcome.state != SUCCEEDED:
        _try("MLflow", lambda: _end_in_mlflow(run, outcome.cause, stopped), progress)
    _try("the webhook", lambda: _post(outcome, recorded), progress)
    if progress.mode == "plain":
        progress.note(without_secrets(text_of(outcome, None)))
    return outcome


def _unknown(run: str, said: str, cause: str) -> Outcome:
    """The store cannot be read: all that is known is Kubeflow's word, and that."""
    failed = said == SAID_FAILED
    why = cause if failed else f"the run may be well, but its results cannot be read: {cause}"
    return Outcome(run, run.partition("-")[0], FAILED, why, {}, "", None, None, None, Usage())


def _end_in_mlflow(run: str, cause: str, stopped: bool) -> None:
    missing = end_run(tracking_uri(), run, "KILLED" if stopped else "FAILED", without_secrets(cause))
    if missing:
        raise EarmarkError(missing)


def _post(outcome: Outcome, run: Run | None) -> None:
    post(message_of(outcome, run))


def _try(what: str, work: Callable[[], None], progress: Progress) -> None:
    try:
        work()
    except Exception as error:
        progress.note(f"{what} could not be told: {without_secrets(one_line(error))}")
