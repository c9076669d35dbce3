"""How a run ended, read from what its steps left in the store.

Kubeflow's own word is not enough: after a retry that ends well it still says FAILED, and of a success it says COMPLETE,
SUCCEEDED or RUNNING.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from earmark.store import Manifest, Store
from earmark.store.causes import Cause, causes_of
from earmark.store.manifest import read_named
from earmark.store.runs import FAILED, SUCCEEDED, read_run, written_from
from earmark.store.usage import Usage, spent

LAST_STEPS = {
    "compare": "gate_model",
    "crossval": "pool_models",
    "retrain": "gate_model",
    "labels": "gate_model",
    "data": "gate_model",
    "study": "gate_model",
    "transfer": "gate_model",
    "probe": "gate_model",
    "embed": "export_embeddings",
    "evaluate": "evaluate_package",
}
"""The step whose result a pipeline is run for."""
REGISTERING = ("labels", "data", "study", "transfer", "probe")
"""Pipelines that end with register_model where no model is named."""
REPORTS = {
    "gate_model": "gate.html",
    "compare_models": "report.html",
    "pool_models": "report.html",
    "evaluate_package": "report.html",
}
"""Pages by the steps that write them, the most telling one first."""
NEWS = "find_news"
REPEATING = ("register_model", "pool_models")
"""Steps that fail where a variant did, and say no more than that."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    run: str
    pipeline: str
    state: str
    """``succeeded`` or ``failed``."""
    cause: str
    """Why it failed, in a line; empty where it did not."""
    failures: Mapping[str, str]
    """Causes of the variants that failed, by name."""
    result: str
    """What came out, in a line."""
    champion: str | None
    """The network that was first by validation."""
    gate: Mapping[str, Any] | None
    """``name``, ``version``, ``outcome`` and ``why`` of the gate's decision."""
    report: str | None
    """Where the page is."""
    usage: Usage


@dataclass(frozen=True)
class _Left:
    """What a step handed on, and when."""

    manifest: Manifest
    written: float


def outcome_of(store: Store, run: str, said_failed: bool, said: str = "") -> Outcome:
    """How a run ended.

    Args:
        store: of its results.
        run: its id.
        said_failed: whether Kubeflow says that it failed.
        said: what Kubeflow says of that; used where no step said more.
    """
    recorded = read_run(store, run)
    pipeline = recorded.pipeline if recorded else run.partition("-")[0]
    since = written_from(store, run)
    left = _left(store, run, since)
    causes = [cause for cause in causes_of(store, run) if cause.written >= since and not _mended(cause, left)]
    failures = _failures(left)
    last = _last_step(pipeline, recorded.model if recorded else "")
    done = last in left or (_nothing_new(left) and not said_failed)
    cause = "" if done and not causes and not failures else _cause(causes, failures, left, last, said)
    comparison, gate = left.get("compare_models"), left.get("gate_model")
    return Outcome(
        run=run,
        pipeline=pipeline,
        state=FAILED if cause else SUCCEEDED,
        cause=cause,
        failures=failures,
        result=_result(left),
        champion=comparison.manifest.facts["champion"] if comparison else None,
        gate={name: gate.manifest.facts[name] for name in ("name", "version", "outcome", "why")} if gate else None,
        report=_report(store, left),
        usage=spent(store, run),
    )


def _last_step(pipeline: str, model: str) -> str:
    """The step whose result the run is for; empty where the pipeline is not known."""
    if pipeline in REGISTERING and not model:
        return "register_model"
    return LAST_STEPS.get(pipeline, "")


def _left(store: Store, run: str, since: float) -> dict[str, _Left]:
    """What the steps of this start handed on, by their names with variants."""
    folder, found = f"runs/{run}/", {}
    for info in store.list(folder):
        name = info.key.removeprefix(folder).removesuffix(".json")
        if "/" not in name and name not in ("run", "end", "begun") and info.modified >= since:
            found[name] = _Left(read_named(store, info.key, Manifest.from_json), info.modified)
    return found


def _mended(cause: Cause, left: Mapping[str, _Left]) -> bool:
    """Whether the step handed a result on since; one that fails after that says so later."""
    return cause.step in left and left[cause.step].written > cause.written


def _failures(left: Mapping[str, _Left]) -> dict[str, str]:
    failed = [each.manifest for each in left.values() if each.manifest.failed is not None]
    return {manifest.facts["variant"]: str(manifest.failed) for manifest in failed}


def _nothing_new(left: Mapping[str, _Left]) -> bool:
    """Whether a retraining stopped since there is nothing new; where it was forced to go on, steps came after."""
    news = left.get(NEWS)
    if news is None or news.manifest.facts["found"]:
        return False
    return all(each.written <= news.written for each in left.values())


def _cause(
    causes: Sequence[Cause], failures: Mapping[str, str], left: Mapping[str, _Left], missing: str, said: str
) -> str:
    told = [f"{variant}: {cause}" for variant, cause in failures.items()]
    told += [f"{cause.step}: {cause.cause}" for cause in causes if not (failures and cause.step in REPEATING)][:1]
    if told:
        return "; ".join(told)
    last = max(left, key=lambda name: left[name].written, default=None)
    how_far = f"the last step that ended is {last}" if last else "no step ended"
    word = f"; Kubeflow: {' '.join(said.split())[:200]}" if said else ""
    return (
        f"{missing or 'its last step'} was not reached and no step said why ({how_far}{word}): a pod that could not "
        "start, a step that was killed, or the run's deadline; the run's page in Kubeflow tells which"
    )


def _result(left: Mapping[str, _Left]) -> str:
    facts = {name: each.manifest.facts for name, each in left.items()}
    if "gate_model" in facts:
        gate = facts["gate_model"]
        version = f"{gate['architecture']} is version {gate['version']} of {gate['name']}"
        return f"{version}, {gate['outcome']}: {gate['why']}"
    if facts.get("compare_models", {}).get("champion"):
        return f"{facts['compare_models']['champion']} is first by validation"
    if NEWS in facts and not facts[NEWS]["found"]:
        return f"there was {facts[NEWS]['told']}"
    return ""


def _report(store: Store, left: Mapping[str, _Left]) -> str | None:
    for step, name in REPORTS.items():
        if step in left and name in left[step].manifest.files:
            return f"{store.uri.rstrip('/')}/{left[step].manifest.files[name].object}"
    return None
