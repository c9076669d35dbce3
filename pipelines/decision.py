"""What the gate decided, as people and programs read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from earmark.errors import UserError
from earmark.pipelines.local import Place
from earmark.store import Store
from earmark.store.runs import result_of

STEP = "gate_model"
MOST_LOSSES = 5
SHOWN = ("outcome", "why", "version", "needed", "holdout", "labels", "scores", "losses", "news")


def decision_of(place: Place, store: Store, run: str) -> dict[str, Any] | None:
    """The gate's facts in a run, with its page written beside the other reports; None if it did not get there."""
    found = result_of(store, run, STEP)
    if found is None:
        return None
    page = place.work / "reports" / f"{run}-gate.html"
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_bytes(found.files["gate.html"].read(store))
    except OSError as error:
        raise UserError(f"cannot write {page}: {error.strerror}; choose another folder with --work") from None
    return {**found.facts, "report": str(page)}


def champion_in(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """The champion after the decision, as JSON output tells it."""
    return {"name": facts["name"], "version": facts["stands"]} if facts["stands"] is not None else None


def gate_in(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The decision, as JSON output tells it."""
    return {name: facts[name] for name in (*SHOWN, "report")}


def decision_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """The decision in a few lines."""
    yield f"gate: {facts['outcome']}: {facts['why']}"
    if facts["losses"]:
        yield f"labels that got worse: {_losses(facts['losses'])}"
    labels = facts["labels"]
    for who in ("challenger", "champion"):
        if labels[f"{who}_only"]:
            yield f"not compared, since only the {who} knows them: {', '.join(labels[f'{who}_only'])}"
    uses = facts["holdout"]["uses"]
    if uses:
        yield f"the same clips have judged {uses} version{'s' if uses > 1 else ''} before"
    if facts["outcome"] in ("refused", "undecided"):
        name, version = facts["name"], facts["version"]
        yield f"version {version} stays challenger; earmark promote {name} {version} --why TEXT overrules the gate"
    yield f"champion and challenger: {facts['report']}"


def _losses(losses: Sequence[Mapping[str, Any]]) -> str:
    shown = [f"{row['label']} {row['value']:+.3f} ({row['positives']} clips)" for row in losses[:MOST_LOSSES]]
    return ", ".join(shown) + (" …" if len(losses) > MOST_LOSSES else "")
