"""The pooled scores of a cross-validation as a table and a few lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

POOLED_COLUMNS = ("network", "models", "each model", "accuracy", "mAP", "AUC", "d-prime", "validation mAP", "minutes")


def pooled_title(facts: Mapping[str, Any]) -> str:
    """What was pooled."""
    seeds = ", ".join(str(seed) for seed in facts["seeds"])
    parts = [f"{facts['evaluated_clips']} test clips"]
    if facts["folds"]:
        turn = "test set" if facts["moves"] == "test" else "validation part"
        parts.append(f"{turn} in turn: folds {', '.join(facts['folds'])}{' (made)' if facts['made_folds'] else ''}")
    parts += [f"seed{'s' if len(facts['seeds']) > 1 else ''} {seeds}", f"intervals of {facts['confidence']:.0%}"]
    return "; ".join(parts)


def pooled_rows(facts: Mapping[str, Any]) -> list[list[str]]:
    """A row a network, one for its ensemble, and the same for the choice by validation."""
    rows: list[list[str]] = []
    main = "accuracy" if facts["single_label"] else "map"
    for network in facts["networks"]:
        spread = network["spread"]
        minutes = sum(model["seconds"] for model in network["models"]) / 60
        rows.append(
            [
                network["name"],
                str(len(network["models"])),
                _spread(spread["test"][main], main),
                *_scores(network["single"], "incomplete"),
                _number(spread["validation"]["map"]["mean"], 3),
                f"{minutes:.1f}",
            ]
        )
        rows += _ensemble(network)
    chosen = facts["chosen"]
    if chosen is not None:
        count = len(chosen["models"])
        rows.append(["chosen by validation", str(count), "", *_scores(chosen["single"], ""), "", ""])
        rows += _ensemble(chosen)
    return rows


def pooled_notes(facts: Mapping[str, Any]) -> Iterator[str]:
    """What the table has no room for."""
    main = "accuracy" if facts["single_label"] else "map"
    named = [(network["name"], network) for network in facts["networks"]]
    if facts["chosen"] is not None:
        named.append(("chosen by validation", facts["chosen"]))
    for name, row in named:
        if row["gain"] is not None:
            yield f"{name}: averaging the models changes {_NAMES[main]} by {_gain(row['gain'], main)}"
    for failure in facts["failures"]:
        yield f"{failure['variant']} failed: {failure['cause']}"
    for network in facts["networks"]:
        if network["missing"]:
            yield f"{network['name']} has no pooled score: {', '.join(network['missing'])} missing"
    hardware = "; ".join(facts["hardware"]) or "nothing"
    yield f"{facts['patches_seen']:,} patches seen in {facts['seconds'] / 60:.1f} minutes of training on {hardware}"
    yield "nothing is registered: the same command without --folds and --seeds trains, compares and registers"


_NAMES = {"accuracy": "accuracy", "map": "mAP"}


def _ensemble(row: Mapping[str, Any]) -> list[list[str]]:
    return [["  its models averaged", "", "", *_scores(row["ensemble"], ""), "", ""]] if row["ensemble"] else []


def _scores(summary: Mapping[str, float | None] | None, absent: str) -> list[str]:
    if summary is None:
        return [absent, "–", "–", "–"]
    return [_spanned(summary, "accuracy"), _spanned(summary, "map"), _number(summary["auc"], 3), _d_prime(summary)]


def _spanned(summary: Mapping[str, float | None], name: str) -> str:
    value, low, high = (summary[f"{name}{end}"] for end in ("", "_low", "_high"))
    if value is None:
        return "–"
    span = "" if low is None or high is None else f" [{_score(low, name)}–{_score(high, name)}]"
    return _score(value, name) + span


def _score(value: float, name: str) -> str:
    return f"{value:.1%}" if name == "accuracy" else f"{value:.3f}"


def _spread(spread: Mapping[str, float | None], name: str) -> str:
    mean, sd = spread["mean"], spread["sd"]
    if mean is None:
        return "–"
    return _score(mean, name) + (f" ± {_score(sd, name)}" if sd is not None else "")


def _gain(gain: Mapping[str, float | None], name: str) -> str:
    values = [gain[f"{name}{end}"] for end in ("", "_low", "_high")]
    percent = name == "accuracy"
    told = ["–" if v is None else f"{100 * v:+.1f}" if percent else f"{v:+.3f}" for v in values]
    return f"{told[0]} [{told[1]} to {told[2]}]" + (" points" if percent else "")


def _d_prime(summary: Mapping[str, float | None]) -> str:
    if summary["d_prime"] is None and summary["auc"] == 1.0:
        return "∞"
    return _number(summary["d_prime"], 2)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
