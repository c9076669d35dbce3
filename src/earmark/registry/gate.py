"""The step ``gate_model``: a new version against the champion on clips that neither learned from.

Four outcomes: ``first`` (there was no champion) and ``promoted`` move the champion; ``refused`` and ``undecided`` leave
it; and ``unchanged`` where the version has the champion's own weights. What is decided goes, with its figures, to the
version's tags, to the run in MLflow, and onto a page.

Killed and run again, it finds its own promotion among the records and tells the same; a champion that changed while it
was judging makes it fail and name who came first, since its verdict was on another champion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

from earmark.config import Config, GateConfig, result_key
from earmark.errors import UserError, unknown_name
from earmark.progress import Progress
from earmark.registry.clips import claimed_clips
from earmark.registry.download import fetch_package
from earmark.registry.holdout import Frames, Holdout, find_holdout
from earmark.registry.news import news_of
from earmark.registry.pack import Sounds
from earmark.registry.package import Package
from earmark.registry.promotion import promote, settled
from earmark.registry.verdict import FIRST, PROMOTED, REFUSED, UNCHANGED, UNDECIDED, Verdict, judge, losses
from earmark.registry.versions import every
from earmark.store import Attempt, Manifest, Store, find, forget, once
from earmark.tracking import RunContext, connect, mlflow_needed, parent_run

STEP, EPOCH = "gate_model", 1
DECISION = "gate.decision"
MOST_LOSSES = 20
WORN_AFTER = 10
"""Judgements on the same clips, from which on a warning says that the winner may just suit them."""


def gate_model(
    store: Store, registered: Manifest, sounds: Sounds, config: Config, run: RunContext, progress: Progress
) -> Manifest:
    """Decide whether a registered version becomes champion, and make it so.

    Files: ``gate.html``, ``decision.json`` (with a row a label). Facts: name, version, architecture, champion (version
    it was judged against, None for the first), stands (the version that is champion now), outcome, why, needed (about
    how many more clips would decide), holdout (clips, groups, seen, uses, digest), labels, scores, losses (labels that
    got worse, the largest first), news, promotion (its number, None where there is none).

    Args:
        store: of the results.
        registered: what ``register_model`` handed on.
        sounds: what the version was trained from.
        config: ``gate``, ``evaluate`` and ``data`` are read.
        run: the pipeline run.
        progress: told of the clips and of the decision.

    Raises:
        UserError: a protected label that the data does not have; a package that was altered.
        ChampionChanged: another version became champion meanwhile.
        EarmarkError: MLflow does not answer.
    """
    check_protected(sounds.dataset.facts["labels"], config.gate)
    parts = {"gate": config.gate, "evaluate": config.evaluate}
    key = result_key(STEP, EPOCH, [registered.digest, sounds.dataset.digest, run.run], parts, config.seed)
    done = find(store, STEP, key)
    if done is not None and not _is_recorded(done):
        forget(store, STEP, key)
    return once(store, STEP, key, lambda attempt: _gate(attempt, registered, sounds, config, run, progress))


def check_protected(labels: Sequence[str], gate: GateConfig) -> None:
    """Refuse a protected label that the data does not have; asked before anything is trained.

    Raises:
        UserError: with the nearest label there is.
    """
    for label in gate.protected:
        if label not in labels:
            raise unknown_name("label in config gate.protected:", label, labels)


def _is_recorded(done: Manifest) -> bool:
    with mlflow_needed():
        wanted = f"name = '{done.facts['name']}' and tags.`{DECISION}` = '{done.key}'"
        found = connect().search_model_versions(wanted)
    return int(done.facts["version"]) in {int(version.version) for version in found}


def _gate(
    attempt: Attempt, registered: Manifest, sounds: Sounds, config: Config, run: RunContext, progress: Progress
) -> None:
    name, version = registered.facts["name"], registered.facts["version"]
    standing = settled(name)
    own = next((record for record in standing.records if record.decision == attempt.key), None)
    champion = own.replaced if own else standing.champion
    challenger = fetch_package(f"models:/{name}/{version}")
    rival = fetch_package(f"models:/{name}/{champion}") if champion is not None else None
    facts, verdict = compare(attempt.store, challenger, rival, sounds, config, progress)
    if verdict.outcome in (FIRST, PROMOTED) and own is None:
        own = promote(name, version, verdict.why, run.run, decision=attempt.key, replaces=champion)
    facts |= {"run": run.run, "stands": own.version if own else champion, "promotion": own.number if own else None}
    with mlflow_needed():
        client = connect()
        facts["holdout"]["uses"] = _uses(client, name, version, facts["holdout"]["digest"])
        attempt.facts = facts
        attempt.digest = attempt.key
        _write(attempt, verdict, config)
        _record(client, attempt, run, sounds)
    progress.note(f"{verdict.outcome}: {verdict.why}")
    if facts["holdout"]["uses"] >= WORN_AFTER:
        progress.note(f"these clips have judged {facts['holdout']['uses']} versions before: add test clips")


def compare(
    store: Store, challenger: Package, rival: Package | None, sounds: Sounds, config: Config, progress: Progress
) -> tuple[dict[str, Any], Verdict]:
    """The facts of a comparison of two packages, and the verdict; nothing is changed."""
    facts: dict[str, Any] = {
        "name": challenger.name,
        "version": challenger.version,
        "architecture": challenger.document["architecture"]["name"],
        "champion": rival.version if rival else None,
        "champion_architecture": rival.document["architecture"]["name"] if rival else None,
        "confidence": config.gate.confidence,
        "labels": {"common": 0, "challenger_only": [], "champion_only": []},
        "holdout": {"clips": 0, "groups": 0, "seen": 0, "uses": 0, "digest": ""},
        "news": None,
    }
    if rival is None:
        verdict = Verdict(FIRST, "there is no champion to compare it with")
    elif rival.document["weights_sha256"] == challenger.document["weights_sha256"]:
        verdict = Verdict(UNCHANGED, f"version {challenger.version} has the weights of the champion")
    else:
        verdict = _compare(store, facts, challenger, rival, sounds, config, progress)
    facts |= {"outcome": verdict.outcome, "why": verdict.why, "needed": verdict.needed, "scores": verdict.scores}
    facts["losses"] = losses(verdict)[:MOST_LOSSES]
    return facts, verdict


def _compare(
    store: Store,
    facts: dict[str, Any],
    challenger: Package,
    rival: Package,
    sounds: Sounds,
    config: Config,
    progress: Progress,
) -> Verdict:
    own, its = challenger.document["labels"], rival.document["labels"]
    facts["labels"] = {
        "common": len(set(own) & set(its)),
        "challenger_only": [label for label in own if label not in its],
        "champion_only": [label for label in its if label not in own],
    }
    try:
        facts["news"] = news_of(rival.clips(), claimed_clips(store, sounds.catalog)).counts()
        holdout = find_holdout(store, sounds, (challenger, rival))
    except UserError as error:
        return Verdict(UNDECIDED, f"{error}; or decide by hand with `earmark promote`")
    if not holdout.labels:
        return Verdict(REFUSED, "no label in common with the champion: give the model a name of its own (--model)")
    holdout, challenger_NC, champion_NC = _score(store, holdout, challenger, rival, sounds, config, progress)
    groups = len(set(holdout.groups))
    facts["holdout"] = {
        "clips": len(holdout.clips),
        "groups": groups,
        "seen": holdout.seen,
        "uses": 0,
        "digest": holdout.digest,
    }
    return judge(
        holdout.targets_NC,
        challenger_NC,
        champion_NC,
        holdout.groups,
        holdout.labels,
        config.gate,
        config.evaluate.bootstrap_resamples,
        config.seed,
    )


def _score(
    store: Store,
    holdout: Holdout,
    challenger: Package,
    rival: Package,
    sounds: Sounds,
    config: Config,
    progress: Progress,
) -> tuple[Holdout, Any, Any]:
    """Both models' scores of the clips that both can take."""
    from earmark.evaluation import model_of

    models = [model_of(package.weights.read_bytes(), package.document) for package in (challenger, rival)]
    frames = [Frames(store, sounds, model, config, progress) for model in models]
    kept = [n for n, clip in enumerate(holdout.clips) if all(each.has(clip) for each in frames)]
    holdout = replace(
        holdout,
        clips=[holdout.clips[n] for n in kept],
        groups=[holdout.groups[n] for n in kept],
        targets_NC=holdout.targets_NC[kept],
    )
    scores = [each.score(model, holdout.clips, holdout.labels) for each, model in zip(frames, models, strict=True)]
    return holdout, scores[0], scores[1]


def _uses(client: MlflowClient, name: str, version: int, holdout: str) -> int:
    """How many other versions were judged on the same clips."""
    if not holdout:
        return 0
    wanted = f"name = '{name}' and tags.`gate.holdout` = '{holdout}'"
    found = every(lambda token: client.search_model_versions(wanted, page_token=token))
    return sum(int(each.version) != version for each in found)


def _write(attempt: Attempt, verdict: Verdict, config: Config) -> None:
    from earmark.evaluation.report.gate import render_gate

    document = {"schema_version": 1, **attempt.facts, "gate": config.gate.model_dump(), "classes": verdict.classes}
    attempt.put_json("decision.json", document)
    attempt.put("gate.html", render_gate(document).encode())


def _record(client: MlflowClient, attempt: Attempt, run: RunContext, sounds: Sounds) -> None:
    """The decision on the version and on the run; the key comes last and says that all the rest is there."""
    facts = attempt.facts
    tags = {"gate.outcome": facts["outcome"], "gate.why": facts["why"], "gate.champion": str(facts["champion"] or "")}
    difference = facts["scores"]["map"]["difference"] if facts["scores"] else {}
    for end, figure in difference.items():
        if figure is not None:
            tags[f"gate.difference.{end}"] = f"{figure:.4f}"
    tags |= {"gate.holdout": facts["holdout"]["digest"], "gate.uses": str(facts["holdout"]["uses"])}
    parent = parent_run(client, run, sounds.dataset.digest)
    for tag, text in tags.items():
        client.set_tag(parent, f"earmark.{tag}", text)
    client.log_text(parent, (attempt.store.get(attempt.files["gate.html"].object)).decode(), "gate.html")
    for tag, text in {**tags, DECISION: attempt.key}.items():
        client.set_model_version_tag(facts["name"], str(facts["version"]), tag, text)
