"""What is to be done so that the back end has the schedules of a file, and doing it so that any interruption can be.

A schedule that changes is replaced: the new one is made without firing, then the old one goes, then the new one is let
fire. Whatever call is the last one, the next apply finds by the same rules what is left to do. Deleting a recurring run
ends its runs, so that one with a run that goes on is only switched off; a later apply deletes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from earmark.pipelines.kubeflow.client import Kubeflow
from earmark.pipelines.kubeflow.recurring import (
    Facts,
    Pinned,
    Recurring,
    delete_recurring,
    going,
    latest_runs,
    make_recurring,
    switch_recurring,
)

Kind = Literal["create", "replace", "resume", "pause", "unchanged", "prune", "extra", "foreign"]
MOST_DIFFERENCES = 8


@dataclass(frozen=True)
class Goal:
    """A schedule that there is to be."""

    name: str
    facts: Facts
    paused: bool


@dataclass(frozen=True)
class Change:
    """What becomes of one schedule.

    Attributes:
        kind: ``create``, ``replace``, ``resume`` or ``pause``; ``unchanged``; ``prune`` (deleted) or ``extra`` (left)
            where the file has none of that name; ``foreign`` for what Earmark did not make.
        name: of the schedule, or the display name of what Earmark did not make.
        goal: what there is to be.
        keep: the recurring run that stays, where one does.
        drop: the recurring runs that go, at once or when their runs have ended.
        told: what differs, a line each.
    """

    kind: Kind
    name: str
    goal: Goal | None = None
    keep: Recurring | None = None
    drop: tuple[Recurring, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether the back end is changed."""
        return self.kind not in ("unchanged", "extra", "foreign")


def compare(goals: Sequence[Goal], found: Sequence[Recurring], *, prune: bool) -> list[Change]:
    """What is to be done: the file's schedules in its order, then what else there is."""
    changes = [_toward(goal, [run for run in found if run.schedule == goal.name]) for goal in goals]
    names = {goal.name for goal in goals}
    rest = dict.fromkeys(run.schedule for run in found if run.schedule is not None and run.schedule not in names)
    changes += [_away(name, tuple(run for run in found if run.schedule == name), prune) for name in rest]
    return changes + [Change("foreign", run.title) for run in found if run.schedule is None]


def carry_out(kubeflow: Kubeflow, change: Change, pin: Callable[[Facts], Pinned]) -> None:
    """Make one change.

    Args:
        kubeflow: where.
        change: what.
        pin: finds or makes the graph's version and the experiment.
    """
    kept = change.keep.id if change.keep else None
    paused = change.keep.paused if change.keep else True
    if change.goal and kept is None:
        kept = make_recurring(kubeflow, change.name, change.goal.facts, pin(change.goal.facts))
    for old in change.drop:
        if not old.paused:
            switch_recurring(kubeflow, old.id, on=False)
        # Looked at anew, now that no further run starts.
        if going(latest_runs(kubeflow, old.id)) is None:
            delete_recurring(kubeflow, old.id)
    if change.goal and kept and paused != change.goal.paused:
        switch_recurring(kubeflow, kept, on=not change.goal.paused)


def _away(name: str, drop: tuple[Recurring, ...], prune: bool) -> Change:
    kind: Kind = "prune" if prune and not _all_wait(drop) else "extra"
    return Change(kind, name, drop=drop, told=tuple(_waiting(drop)) if prune else ())


def _all_wait(drop: Sequence[Recurring]) -> bool:
    """Whether nothing can be done yet about what is to go."""
    return all(run.paused and run.going for run in drop)


def _waiting(drop: Sequence[Recurring]) -> Iterator[str]:
    for run in drop:
        if run.going:
            yield f"its run {run.going} goes on: only switched off; apply again after that to delete it"


def _toward(goal: Goal, mine: list[Recurring]) -> Change:
    equal = [run for run in mine if run.facts == goal.facts]
    keep = next((run for run in equal if run.paused == goal.paused), None)
    if keep is None and equal and (goal.paused or goal.facts.catchup):
        keep = equal[-1]
    drop = tuple(run for run in mine if run is not keep)
    waiting = tuple(_waiting(drop))
    if not mine:
        return Change("create", goal.name, goal, told=tuple(_described(goal.facts)))
    if keep is None and len(equal) == len(mine):
        # Let fire again, a paused one would at once make up for the last firing that it missed; a new one does not.
        return Change("resume", goal.name, goal, drop=drop, told=waiting)
    if keep is None:
        old = next(run for run in mine if run not in equal)
        return Change("replace", goal.name, goal, drop=drop, told=(*_differences(old.facts, goal.facts), *waiting))
    if keep.paused != goal.paused:
        return Change("pause" if goal.paused else "resume", goal.name, goal, keep, drop, waiting)
    if _all_wait(drop):
        return Change("unchanged", goal.name, goal, keep, drop, waiting)
    return Change("replace", goal.name, goal, keep, drop, ("an older one is still there", *waiting))


def _described(facts: Facts) -> Iterator[str]:
    for field in fields(facts):
        value = getattr(facts, field.name)
        if field.name == "arguments":
            yield from (f"{name}: {_short(argument)}" for name, argument in value.items())
        else:
            yield f"{field.name}: {_short(value)}"


def _differences(old: Facts, new: Facts) -> Iterator[str]:
    """The values that differ, down to the fields of JSON."""
    before, after = _leaves(old), _leaves(new)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    for name in names[:MOST_DIFFERENCES]:
        yield f"{name}: {_short(before.get(name, '–'))} → {_short(after.get(name, '–'))}"
    if len(names) > MOST_DIFFERENCES:
        yield f"and {len(names) - MOST_DIFFERENCES} more"


def _leaves(facts: Facts) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def walk(name: str, value: Any) -> None:
        if isinstance(value, str) and value.startswith("{"):
            value = json.loads(value)
        if isinstance(value, Mapping) and value:
            for key, inner in value.items():
                walk(f"{name}.{key}".removeprefix("arguments."), inner)
        else:
            found[name] = value

    for field in fields(facts):
        walk(field.name, getattr(facts, field.name))
    return found


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:97]}…"
