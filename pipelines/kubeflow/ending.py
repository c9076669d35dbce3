"""How a run on the cluster ended: followed to its end, its result shown, its exit code that of ``earmark run``."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from earmark.errors import EarmarkError
from earmark.pipelines.commands import SHOW
from earmark.pipelines.kubeflow.client import Kubeflow
from earmark.pipelines.kubeflow.follow import Follower
from earmark.pipelines.kubeflow.steps import seconds_between, state_of, steps_of
from earmark.pipelines.local import Place, StepError
from earmark.pipelines.terminal import Terminal
from earmark.store import Store
from earmark.store.causes import Cause, causes_of
from earmark.store.runs import FAILED, RUNNING, STOPPED, SUCCEEDED, Run, end, read_run, written_from

STATES = {"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "CANCELED": STOPPED}


def end_of(kubeflow: Kubeflow, store: Store, run: Run, terminal: Terminal, place: Place, json: bool) -> None:
    """Follow a run to its end and show what came out, as ``earmark run`` does.

    Raises:
        StepError: it failed; with the cause and the exit code of the step that did.
        typer.Exit: 130 after Ctrl-C (the run goes on), 1 where it was cancelled.
    """
    assert run.kubeflow is not None
    follower = Follower(kubeflow, run.kubeflow, terminal)
    try:
        ended = follower.follow()
    except KeyboardInterrupt:
        from earmark.pipelines.kubeflow.submit import how_to_look

        terminal.console.print(f"the run goes on\n{how_to_look(run.run)}", markup=False)
        raise typer.Exit(130) from None
    finally:
        terminal.close()
    state = state_of(ended)
    took = seconds_between(ended.created_at, ended.finished_at)
    terminal.console.print(f"{state.lower()} after {(took or 0) / 60:.1f} min")
    _record_end(store, run.run, STATES.get(state, FAILED))
    if state == "SUCCEEDED" and terminal.done and len(terminal.reused) == len(terminal.done):
        terminal.console.print("every step was done already: nothing was computed")
    SHOW[run.pipeline](place, store, run.run, json)
    if state == "CANCELED":
        raise typer.Exit(1)
    if state != "SUCCEEDED":
        failed = [step.name for step in steps_of(ended) if step.state == "FAILED"]
        raise _failure(causes(store, run.run), follower, failed, run.run)


def causes(store: Store, run: str) -> list[Cause]:
    """Why steps of the present start of a run failed, the earliest first."""
    since = written_from(store, run)
    return [cause for cause in causes_of(store, run) if cause.written >= since]


def _record_end(store: Store, run: str, state: str) -> None:
    """The last step records the end; where it could not, who follows does."""
    recorded = read_run(store, run)
    if recorded is not None and recorded.state == RUNNING:
        end(store, run, state)


def _failure(told: Sequence[Cause], follower: Follower, failed: Sequence[str], run: str) -> EarmarkError:
    again = f"`earmark retry {run}` goes on from what is done"
    if told:
        return StepError(f"{told[0].step}: {told[0].cause}", told[0].exit_code)
    if follower.errors:
        first = follower.errors[0]
        return StepError(f"{first['step']}: {first['message']}", first["exit_code"])
    if follower.troubles:
        return StepError(f"{follower.troubles[-1]}; {again}", 1)
    which = f"at {', '.join(dict.fromkeys(failed))}" if failed else "(its deadline, or a pod that could not start)"
    return StepError(f"the run failed {which}; its page and the pods' logs tell more; {again}", 1)
