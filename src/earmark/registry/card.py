"""The model card: what a person reads before using a model, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MAX_LABELS = 40
MAX_CHARACTERS = 5000  # MLflow's column for a version's description
METHODS = {"temperature": "one temperature for all labels", "platt": "Platt scaling of each label"}
SCORES = {"map": "mAP", "auc": "AUC", "d_prime": "d-prime", "accuracy": "1-best accuracy"}


def model_card(
    name: str,
    network: Mapping[str, Any],
    labels: Sequence[str],
    dataset: Mapping[str, Any],
    scores: Mapping[str, Mapping[str, Any]],
    evaluated_clips: int,
    calibration: Mapping[str, Any] | None = None,
) -> str:
    """The card.

    Args:
        name: the registered model.
        network: ``architecture``, ``width``, ``steps``, ``weights``, ``multiplies``, ``run``,
            ``code_version``, ``confidence``.
        labels: names, in the order of the outputs.
        dataset: ``digest``, ``data`` (where the sounds are), ``clips`` of each split.
        scores: ``test`` and ``validation``, each with a value and the ends of its interval by name.
        evaluated_clips: number of test clips.
        calibration: as ``model.json`` has it, None where none was fitted.
    """
    clips = ", ".join(f"{count} {split}" for split, count in dataset["clips"].items())
    trained = f"Trained for {network['steps']:,} steps in run `{network['run']}` by earmark {network['code_version']}."
    paragraphs = [
        f"# {name}",
        f"Tags sound: {network['architecture']} at width {network['width']:g}, {network['weights']:,} weights, "
        f"{network['multiplies']:,} multiplies for a patch of 0.96 s.",
        "## Data",
        f"{clips} clips from `{dataset['data']}`, dataset `{dataset['digest']}`. {trained}",
        "## Scores",
        _score_table(scores),
        f"Intervals cover {network['confidence']:.0%} (bootstrap over clips). The test part has {evaluated_clips} "
        "clips; none of them was used in training or in choosing this model.",
        "## Calibration",
        _calibrated(calibration),
        "## Labels",
        _listed(labels),
        "## Intended use",
        f"Tagging recordings that resemble the training data, with these {len(labels)} labels. Where a mistake "
        "has consequences, have a person listen.",
        "## Limits",
        "Sounds of other kinds still get scores. Recording conditions that the data does not have (microphones, "
        "distance, noise, lossy codecs) were not tested. Scores on few clips are uncertain: read the intervals.",
    ]
    # a line a paragraph: MLflow's pages break lines where the text does
    return "\n\n".join(paragraphs)[:MAX_CHARACTERS]


def _score_table(scores: Mapping[str, Mapping[str, Any]]) -> str:
    lines = ["| | " + " | ".join(scores) + " |", "|---|" + "---|" * len(scores)]
    for key, title in SCORES.items():
        cells = [_score(part, key) for part in scores.values()]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _score(part: Mapping[str, Any], key: str) -> str:
    value, low, high = part.get(key), part.get(f"{key}_low"), part.get(f"{key}_high")
    if value is None:
        return "–"
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _calibrated(calibration: Mapping[str, Any] | None) -> str:
    if calibration is None:
        return "None: scores are between 0 and 1, and no probabilities. A label counts as heard from 0.5 on."
    clips, losses = calibration["clips"], calibration["log_losses"]
    told = f"the thresholds from which on a label counts as heard were chosen on {clips} validation clips"
    if calibration["method"] == "none":
        return f"Scores are used as they are, since no scaling made them better probabilities; {told}."
    before, after = losses.get("none"), losses.get(calibration["method"])
    gain = (
        "" if before is None or after is None else f" (log loss {after:.3f} instead of {before:.3f}, cross-validated)"
    )
    return f"Scores become probabilities by {METHODS[calibration['method']]}{gain}; {told}. All are in model.json."


def _listed(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:MAX_LABELS])
    more = len(labels) - MAX_LABELS
    return shown if more <= 0 else f"{shown} and {more} more, named in model.json"
