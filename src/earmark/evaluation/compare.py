"""The step ``compare_models``: the networks ranked, the champion named, the report written. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from earmark.config import Experiment, digest, result_key
from earmark.errors import EarmarkError
from earmark.evaluation.ranking import by_test, by_validation, check_same_clips, network_facts
from earmark.progress import Progress
from earmark.store import Attempt, Manifest, Store, once

STEP = "compare_models"
EPOCH = 5


def compare_models(
    store: Store,
    metrics: Sequence[Manifest],
    checkpoints: Sequence[Manifest],
    catalog: Manifest,
    patches: Manifest,
    dataset: Manifest,
    failures: Sequence[Mapping[str, str]],
    experiment: Experiment,
    run: str,
    progress: Progress,
) -> Manifest:
    """Rank the evaluated networks by validation mAP (ties: accuracy) and write the report.

    Files: ``report.html``, ``comparison.json``. Facts: run, evaluated_clips, digest, dataset, networks (ranked),
    test_order, champion (None if no network was evaluated), failures, and ``study`` where the experiment asks for more
    than which network is best.

    Args:
        store: of the results.
        metrics: evaluations that succeeded.
        checkpoints: trainings, in any order; those that failed may be among them.
        catalog: what the clips claim to be.
        patches: what decoding found.
        dataset: clips, labels, splits, findings.
        failures: ``variant`` and ``cause`` of each network that did not get here.
        experiment: what was asked for.
        run: the run's id, for the report.
        progress: told of the champion.

    Raises:
        EarmarkError: networks were scored on different clips, or nothing says what became of a variant.
    """
    for manifest in (*metrics, *(c for c in checkpoints if c.failed is None), catalog, patches, dataset):
        manifest.check(store)
    check_same_clips(metrics)
    trained = {c.facts["variant"]: c for c in checkpoints if c.failed is None}
    _check_complete(metrics, trained, failures, experiment)
    inputs = [
        *(m.digest for m in by_validation(metrics)),
        *(trained[m.facts["variant"]].key for m in by_validation(metrics)),
        dataset.digest,
        dataset.files["findings.parquet"].sha256,
        digest([dict(failure) for failure in failures]),
        digest([catalog.facts["data"], experiment.model_dump()]),
    ]

    def work(attempt: Attempt) -> None:
        from earmark.evaluation.gather import gather_report
        from earmark.evaluation.report import render_report

        attempt.facts = comparison(metrics, trained, dataset, failures, run)
        report = gather_report(store, by_validation(metrics), trained, catalog, dataset, failures, experiment, run)
        if report.study is not None:
            attempt.facts["study"] = report.study.to_json()
        attempt.put("report.html", render_report(report).encode())
        attempt.put_json("comparison.json", {"schema_version": 1, **attempt.facts})
        champion = attempt.facts["champion"]
        progress.note(f"first by validation: {champion}" if champion else "no network was evaluated")

    return once(store, STEP, result_key(STEP, EPOCH, inputs), work)


def comparison(
    metrics: Sequence[Manifest],
    trained: Mapping[str, Manifest],
    dataset: Manifest,
    failures: Sequence[Mapping[str, str]],
    run: str,
) -> dict[str, Any]:
    """The result as plain values."""
    order = by_validation(metrics)
    return {
        "run": run,
        "evaluated_clips": order[0].facts["clips"]["test"] if order else 0,
        "digest": order[0].facts["digest"] if order else None,
        "dataset": {name: dataset.facts[name] for name in ("digest", "data", "clips")},
        "networks": [network_facts(m, trained[m.facts["variant"]]) for m in order],
        "test_order": by_test(metrics),
        "champion": order[0].facts["variant"] if order else None,
        "failures": [{"variant": f["variant"], "cause": f["cause"]} for f in failures],
    }


def _check_complete(
    metrics: Sequence[Manifest],
    trained: Mapping[str, Manifest],
    failures: Sequence[Mapping[str, str]],
    experiment: Experiment,
) -> None:
    evaluated = {m.facts["variant"] for m in metrics}
    known = evaluated | {f["variant"] for f in failures}
    for variant in experiment.variants:
        if variant.name not in known:
            raise EarmarkError(f"{variant.name} was neither evaluated nor reported as failed: run it again")
    if evaluated - set(trained):
        raise EarmarkError(f"no checkpoint came with the evaluation of {min(evaluated - set(trained))}: run it again")
