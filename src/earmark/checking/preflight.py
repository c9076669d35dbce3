"""What a run needs, tried within seconds by its own first step, with the identity that steps have."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from earmark.checking.data import check_data
from earmark.checking.lines import Check, Line, exit_code, run_checks, written
from earmark.checking.mlflow import PART as MLFLOW
from earmark.checking.mlflow import check_mlflow
from earmark.checking.store import check_store
from earmark.checking.versions import check_versions
from earmark.errors import EarmarkError, UserError
from earmark.progress import Progress

LIMIT_SECONDS = 8.0
"""With the step's own start, it is over within ten."""
TALKS = ("kfp", "minio", "mlflow")
"""Packages that talk to servers: those that an image must have in the right version, whatever it is for."""


def preflight(data: str, progress: Progress, *, sound: bool = True) -> None:
    """Try store, data, MLflow and versions side by side; what is not well is told, what cannot work is raised.

    Without ``sound`` the data is not looked at: its own step reads it, and tells.

    An MLflow that is away stops no run: figures wait for it. One that refuses would refuse for ever.

    Raises:
        UserError: something that the user can mend is wrong; all that is wrong, with the remedies.
        EarmarkError: all that is wrong is elsewhere, such as a server that is away.
    """
    checks: dict[str, Check] = {
        "store": check_store,
        **({"data": partial(check_data, data)} if sound else {}),
        MLFLOW: check_mlflow,
        "versions": partial(check_versions, TALKS),
    }
    lines = run_checks(checks, LIMIT_SECONDS)
    lines = [_waited_for(line) if line.part == MLFLOW and not line.mendable else line for line in lines]
    wrong = [line for line in lines if line.mark == "bad"]
    for line in lines:
        if line.mark == "note" or (line.mark == "ok" and progress.mode == "plain"):
            progress.note(written(line))
    if wrong:
        told = "; ".join(dict.fromkeys(f"{line.what}: {line.remedy}" if line.remedy else line.what for line in wrong))
        raise UserError(told) if exit_code(wrong) == UserError.exit_code else EarmarkError(told)


def _waited_for(line: Line) -> Line:
    """MLflow is away: that is for a server's keeper to mend, not for the run to fail by."""
    if line.mark != "bad":
        return line
    return replace(line, mark="note", remedy=f"{line.remedy or 'start it'} (until it answers, figures wait for it)")
