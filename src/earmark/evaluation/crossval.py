"""The step ``pool_models``: what networks are worth over folds and seeds. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from earmark.catalog.content import column
from earmark.config import Experiment, digest, result_key
from earmark.errors import EarmarkError, UserError
from earmark.evaluation.members import (
    ClipTable,
    Member,
    Tested,
    choose,
    choose_by_mean,
    members_of,
    passes_of,
    read_scores,
    stack,
    unite,
)
from earmark.evaluation.pool import Pooled, Summary, pool
from earmark.evaluation.ranking import COSTS, standing
from earmark.evaluation.tables import SUMMARY, split_tables
from earmark.progress import Progress
from earmark.store import Attempt, Manifest, Store, once
from earmark.store.tables import read_table

STEP = "pool_models"
EPOCH = 3


def pool_models(
    store: Store,
    metrics: Sequence[Manifest],
    checkpoints: Sequence[Manifest],
    datasets: Sequence[Manifest],
    experiment: Experiment,
    run: str,
    progress: Progress,
) -> Manifest:
    """Pool each network's scores over its folds and seeds, and write the report.

    Files: ``report.html``, ``pooled.json`` (the facts, and the tables of the network that is best by validation).
    Facts: run, data, evaluated_clips, folds, seeds, moves (which part the folds are), confidence, networks (best mean
    validation mAP first; a network of which a model failed has no pooled score), chosen (the network with the best
    validation mAP in each fold and seed, pooled), failures, hardware, patches_seen, seconds.

    Args:
        store: of the results.
        metrics: evaluations; those that failed are among them.
        checkpoints: trainings, the same.
        datasets: the variants' datasets, the same.
        experiment: what was asked for: one variant a network, fold and seed.
        run: the run's id, for the report.
        progress: told of the result.

    Raises:
        EarmarkError: nothing says what became of a variant, or models did not score the same clips.
    """
    members = members_of(experiment)
    failures = _failures(members, metrics)
    scored = {m.facts["variant"]: m.check(store) for m in metrics if m.failed is None}
    trained = {c.facts["variant"]: c for c in checkpoints if c.failed is None}
    assembled = [each for each in datasets if each.failed is None]
    dataset = assembled[0] if assembled else None
    inputs = [
        *(scored[m.variant].digest for m in members if m.variant in scored),
        *(trained[m.variant].key for m in members if m.variant in scored),
        dataset.facts["catalog"] if dataset else "",
        digest([failures, dataset.facts["data"] if dataset else "", experiment.model_dump()]),
    ]

    def work(attempt: Attempt) -> None:
        facts, tables = _pooled(store, members, scored, trained, assembled, experiment)
        attempt.facts = {"run": run, **facts, "failures": failures}
        attempt.put("report.html", _page(attempt.facts, tables, experiment).encode())
        attempt.put_json("pooled.json", {"schema_version": 1, **attempt.facts, "tables": tables})
        progress.note(f"{len(scored)} of {len(members)} models pooled")

    return once(store, STEP, result_key(STEP, EPOCH, inputs), work)


def _page(facts: Mapping[str, Any], tables: Mapping[str, Any] | None, experiment: Experiment) -> str:
    from earmark.evaluation.gather import class_scores, readable, software
    from earmark.evaluation.repeat import crossval_command
    from earmark.evaluation.report import Network
    from earmark.evaluation.report.folds import render_folds

    best, labels = None, []
    if tables is not None:
        labels = readable(tables["labels"])
        first = facts["networks"][0]
        best = Network(
            variant=first["name"],
            architecture=first["architecture"],
            steps=first["models"][0]["steps"],
            seconds=sum(model["seconds"] for model in first["models"]),
            weights=first["weights"],
            multiplies=first["multiplies"],
            test={},
            validation={},
            classes=class_scores(labels, tables["classes"]),
            confusion=tables["confusion"]["counts"] if tables["confusion"] else None,
        )
    told = crossval_command(facts["data"] or "DIR", experiment, facts["folds"], facts["seeds"])
    about = [("Run", facts["run"]), ("Seeds", ", ".join(map(str, facts["seeds"]))), *software()]
    return render_folds(facts, best, labels, told, experiment.model_dump(), about)


def check_none_failed(pooled: Manifest) -> None:
    """End with the causes where a model failed.

    Raises:
        EarmarkError: names each; a UserError where the user can mend all of them.
    """
    failures = pooled.facts["failures"]
    if not failures:
        return
    kind = UserError if all(f["exit_code"] == UserError.exit_code for f in failures) else EarmarkError
    told = "; ".join(f"{f['variant']} failed: {f['cause']}" for f in failures)
    raise kind(f"{told}. Mend the cause and run the same command again: finished models are kept")


def _failures(members: Sequence[Member], metrics: Sequence[Manifest]) -> list[dict[str, Any]]:
    known = {m.facts["variant"]: m for m in metrics}
    for member in members:
        if member.variant not in known:
            raise EarmarkError(f"{member.variant} was neither evaluated nor reported as failed: run it again")
    failed = [known[m.variant] for m in members if known[m.variant].failed is not None]
    return [{"variant": m.facts["variant"], "cause": m.failed, "exit_code": m.facts["exit_code"]} for m in failed]


def _pooled(
    store: Store,
    members: Sequence[Member],
    scored: Mapping[str, Manifest],
    trained: Mapping[str, Manifest],
    datasets: Sequence[Manifest],
    experiment: Experiment,
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The facts, and the tables of the first network's pooled scores."""
    dataset = datasets[0] if datasets else None
    names = list(dict.fromkeys(m.network for m in members))
    own = {name: [m for m in members if m.network == name] for name in names}
    whole = [name for name in names if all(m.variant in scored for m in own[name])]
    scores = {m.variant: read_scores(store, scored[m.variant]) for name in whole for m in own[name]}
    facts = _asked(members, dataset, experiment)
    facts |= {
        "patches_seen": sum(trained[v].facts["patches_seen"] for v in scored),
        "seconds": round(sum(trained[v].facts["seconds"] for v in scored), 3),
        "hardware": sorted({_hardware(trained[v]) for v in scored}),
    }
    rows = {name: _network(own[name], scored, trained) for name in names}
    tables = None
    if dataset is not None and whole:
        tested = _tested(store, datasets, [scores[m.variant] for m in own[whole[0]]])
        single_label = dataset.facts["single_label"]
        how = tested.groups, single_label, experiment.base.evaluate, experiment.base.seed
        pooled: dict[str, Pooled] = {}
        for name in whole:
            pooled[name] = pool(tested.targets_NC, stack(passes_of(own[name]), scores, tested), *how)
            rows[name] |= _told(pooled[name])
        facts["evaluated_clips"] = len(tested.clips)
        if len(whole) > 1:
            validation = {v: scored[v].facts["validation"] for v in scores}
            every = [m for name in whole for m in own[name]]
            chosen, averaged = choose(every, validation), choose_by_mean(every, validation)
            single_PNC, averaged_PNC = (stack(passes_of(each), scores, tested) for each in (chosen, averaged))
            found = pool(tested.targets_NC, single_PNC, *how, averaged_PNC)
            facts["chosen"] = {"models": _named(chosen), "averaged": _named(averaged), **_told(found)}
        best = _order([rows[name] for name in whole])[0]["name"]
        labels = dataset.facts["labels"]
        tables = {
            "network": best,
            "labels": labels,
            **split_tables(tested.targets_NC, pooled[best].scores_NC, tested.groups, labels, *how[1:]),
        }
    return {**facts, "networks": _order(list(rows.values()))}, tables


def _asked(members: Sequence[Member], dataset: Manifest | None, experiment: Experiment) -> dict[str, Any]:
    folds = list(dict.fromkeys(m.fold for m in members if m.fold))
    return {
        "data": dataset.facts["data"] if dataset else None,
        "evaluated_clips": 0,
        "labels": len(dataset.facts["labels"]) if dataset else 0,
        "single_label": bool(dataset and dataset.facts["single_label"]),
        "folds": folds,
        "moves": ("test" if members[0].moves_test else "validation") if folds else None,
        "made_folds": experiment.base.data.make_folds is not None,
        "seeds": sorted({m.seed for m in members}),
        "preset": experiment.base.preset,
        "confidence": experiment.base.evaluate.confidence,
        "chosen": None,
    }


def _network(
    members: Sequence[Member],
    scored: Mapping[str, Manifest],
    trained: Mapping[str, Manifest],
) -> dict[str, Any]:
    """A network's models and their spread; no pooled score yet."""
    models = [
        {
            "variant": m.variant,
            "fold": m.fold,
            "seed": m.seed,
            "clips": scored[m.variant].facts["clips"],
            "test": scored[m.variant].facts["test"],
            "validation": scored[m.variant].facts["validation"],
            "seconds": trained[m.variant].facts["seconds"],
            "steps": trained[m.variant].facts["steps"],
            "patches_seen": trained[m.variant].facts["patches_seen"],
        }
        for m in members
        if m.variant in scored
    ]
    first = trained[models[0]["variant"]].facts if models else {}
    return {
        "name": members[0].network,
        "architecture": first.get("name"),
        "models": models,
        "missing": [m.variant for m in members if m.variant not in scored],
        **{name: first.get(name) for name in COSTS if name in ("weights", "multiplies")},
        "spread": {part: {name: _spread([m[part][name] for m in models]) for name in SUMMARY} for part in PARTS},
        "single": None,
        "ensemble": None,
        "gain": None,
    }


PARTS = ("validation", "test")


def _spread(values: Sequence[float | None]) -> dict[str, float | None]:
    """Mean, standard deviation (of a sample), least and most over the models."""
    known = [v for v in values if v is not None]
    if not known or len(known) < len(values):
        return {"mean": None, "sd": None, "least": None, "most": None}
    sd = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return {"mean": float(np.mean(known)), "sd": sd, "least": min(known), "most": max(known)}


def _order(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By mean validation mAP, ties by accuracy, then by name; what is not whole comes last."""

    def place(row: Mapping[str, Any]) -> tuple[bool, float, float, str]:
        means = {name: row["spread"]["validation"][name]["mean"] for name in ("map", "accuracy")}
        return (bool(row["missing"]), *standing(means), row["name"])

    return sorted(rows, key=place)


def _tested(store: Store, datasets: Sequence[Manifest], scores: Sequence[ClipTable]) -> Tested:
    """The test clips of all folds: a clip with the sound of another fold's is in the dataset of its own fold only."""
    group_of: dict[str, str] = {}
    for dataset in {each.key: each for each in datasets}.values():
        table = read_table(dataset.files["dataset.parquet"].read(store))
        group_of |= zip(column(table, "clip_id"), column(table, "group"), strict=True)
    return unite(scores, group_of, len(datasets[0].facts["labels"]))


def _named(members: Sequence[Member]) -> list[dict[str, Any]]:
    return [{"fold": m.fold, "seed": m.seed, "network": m.network} for m in members]


def _told(pooled: Pooled) -> dict[str, Any]:
    parts = {"single": pooled.single, "ensemble": pooled.ensemble, "gain": pooled.gain}
    return {name: _plain(part) if part is not None else None for name, part in parts.items()}


def _plain(summary: Summary) -> dict[str, float | None]:
    """Scores with the ends of their intervals, None for what is not finite."""
    return {
        f"{name}{end}": value if math.isfinite(value) else None
        for name, found in summary.items()
        for end, value in (("", found.value), ("_low", found.low), ("_high", found.high))
    }


def _hardware(checkpoint: Manifest) -> str:
    return f"{checkpoint.facts['device']}, {checkpoint.facts['precision']}"
