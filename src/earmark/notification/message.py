"""The message about a run's end: one line for people, fields for programs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from earmark.checking.lines import without_secrets
from earmark.notification.outcome import Outcome
from earmark.store.runs import SUCCEEDED, Run
from earmark.store.usage import Usage


def message_of(outcome: Outcome, run: Run | None) -> dict[str, Any]:
    """What the webhook is sent: ``text``, as Slack and its like show it, and what it is made of.

    Args:
        outcome: how it ended.
        run: its record, if anybody wrote one.
    """
    seconds = _seconds(run)
    usage = asdict(outcome.usage)
    return {
        "text": without_secrets(text_of(outcome, seconds)),
        "run": outcome.run,
        "pipeline": outcome.pipeline,
        "state": outcome.state,
        "cause": without_secrets(outcome.cause),
        "failed_variants": {name: without_secrets(cause) for name, cause in outcome.failures.items()},
        "champion": outcome.champion,
        "gate": dict(outcome.gate) if outcome.gate else None,
        "report": outcome.report,
        "data": without_secrets(run.data) if run else None,
        "model": run.model if run else None,
        "kubeflow": run.kubeflow if run else None,
        "started": run.started if run else None,
        "seconds": seconds,
        "usage": {name: round(value, 3) if isinstance(value, float) else value for name, value in usage.items()},
    }


def text_of(outcome: Outcome, seconds: int | None) -> str:
    """The run's end as people read it."""
    good = outcome.state == SUCCEEDED
    lasted = f" {'in' if good else 'after'} {duration(seconds)}" if seconds is not None else ""
    lines = [f"{'✓' if good else '✗'} {outcome.run} {outcome.state}{lasted}"]
    lines += [line for line in (outcome.cause, outcome.result) if line]
    lines += [f"took {told}" for told in (usage_told(outcome.usage),) if told]
    lines += [f"report: {outcome.report} (earmark report {outcome.run})"] if outcome.report else []
    return "\n".join(lines)


def usage_told(usage: Usage) -> str:
    """What a run took of machines, in a line; empty where it took nothing that is worth a word."""
    parts = []
    if usage.gpu_seconds:
        parts.append(f"{duration(round(usage.gpu_seconds))} of GPUs")
    if usage.cost is not None:
        parts.append(f"{usage.cost:.2f} in cost")
    if not parts:
        return ""
    more = f" (not counted: {usage.uncounted} attempts that were killed)" if usage.uncounted else ""
    return ", ".join(parts) + more


def duration(seconds: int) -> str:
    """``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _seconds(run: Run | None) -> int | None:
    if run is None:
        return None
    started = datetime.strptime(run.started, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return max(0, round((datetime.now(UTC) - started).total_seconds()))
