"""A pipeline run that ended before its last step: its runs in MLflow say so, instead of running for ever."""

from __future__ import annotations

import threading

from earmark.tracking.connection import connect, one_line, sqlite_file
from earmark.tracking.runs import find_runs
from earmark.tracking.tracker import Status

DEADLINE_SECONDS = 10.0


def end_run(
    uri: str,
    run: str,
    status: Status,
    cause: str = "",
    *,
    experiment: str = "earmark",
    deadline_seconds: float = DEADLINE_SECONDS,
) -> str:
    """Set the status of what still runs of a pipeline run; run again, its steps set it to running themselves.

    MLflow is no reason to wait or to fail here: within the deadline it is done, or the answer says in a line why not.

    Args:
        uri: where MLflow is.
        run: Earmark's id of the run.
        status: ``FAILED``, or ``KILLED`` where it was stopped.
        cause: why, in a line.
        experiment: the MLflow experiment that holds the run.
        deadline_seconds: the longest that this call takes.
    """
    told: list[str] = []

    def work() -> None:
        try:
            _end_all(uri, run, status, cause, experiment)
            told.append("")
        except Exception as error:  # the run's own end is what counts
            told.append(one_line(error))

    worker = threading.Thread(target=work, name="mlflow-end", daemon=True)
    worker.start()
    worker.join(deadline_seconds)
    return told[0] if told else f"no answer within {deadline_seconds:g} s"


def _end_all(uri: str, run: str, status: Status, cause: str, experiment: str) -> None:
    file = sqlite_file(uri)
    if file is not None and not file.exists():
        return
    client = connect(uri)
    place = client.get_experiment_by_name(experiment)
    if place is None:
        return
    for each in find_runs(client, place.experiment_id, {"earmark.run": run}):
        if each.info.status == "RUNNING":
            if cause:
                client.set_tag(each.info.run_id, "earmark.cause", cause)
            client.set_terminated(each.info.run_id, status)
