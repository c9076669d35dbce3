"""The sentences of a report: what came out, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from earmark.evaluation.report import numbers
from earmark.evaluation.report.classes import by_score
from earmark.evaluation.report.confusion import pairs
from earmark.evaluation.report.data import NOTHING, Estimate, Network, Report
from earmark.evaluation.report.times import times_found


def headline(report: Report) -> str:
    """The answer in one sentence."""
    best = report.champion
    if best is None:
        many = len(report.failures)
        return "The only network failed." if many == 1 else f"None of the {numbers.counted(many, 'network')} finished."
    accuracy = _test(best, "accuracy")
    if report.single_label and accuracy.value is not None:
        right = numbers.percent(accuracy.value)
        chance = numbers.percent(report.chance.get("accuracy"))
        return f"{best.title} recognised {right} of {_unheard(report)}. Guessing gets {chance}."
    found = numbers.metric("map", _test(best, "map").value)
    chance = numbers.metric("map", report.chance.get("map"))
    return f"{best.title} tagged {_unheard(report)} with an mAP of {found}. Guessing gets {chance}."


def summary(report: Report) -> list[str]:
    """Two or three sentences under the headline: who, on what, how sure."""
    best = report.champion
    if best is None:
        return ["Nothing could be compared. The causes are below."]
    if report.evaluated:
        return [*report.remarks, _certainty(report, best)]
    tried = len(report.networks) + len(report.failures)
    trained = f"{numbers.whole(report.clips.get('train', 0))} clips of {numbers.counted(len(report.labels), 'label')}"
    if report.study is not None:
        # Each has its own part of the clips, or of their labels.
        trained = f"up to {numbers.whole(report.clips.get('train', 0))} clips"
    steps = {n.steps for n in report.networks}
    equally = f" for {numbers.whole(steps.pop())} steps{' each' if tried > 1 else ''}" if len(steps) == 1 else ""
    chosen = (
        f"{numbers.counted(tried, 'network').capitalize()} learned from {trained}{equally}; "
        f"{best.title} was chosen on {numbers.whole(report.clips.get('validation', 0))} validation clips "
        f"and then met {numbers.whole(report.clips.get('test', 0))} test clips, which had no part in either."
        if tried > 1
        else f"{best.title} learned from {trained}{equally} and was then tested on clips that it had never met."
    )
    return [chosen, _certainty(report, best)]


def _certainty(report: Report, best: Network) -> str:
    metric = "accuracy" if report.single_label and _test(best, "accuracy").value is not None else "map"
    estimate = _test(best, metric)
    span = numbers.interval(metric, estimate)
    if not span:
        return ""
    said = f"With {numbers.percent(report.confidence)} confidence its {_METRIC[metric]} lies between {_words(span)}"
    rivals = [n.title for n in report.networks[1:] if _overlap(_test(n, metric), estimate)]
    if len(report.networks) == 1:
        return said + "."
    if not rivals:
        return said + ", clear of every other network's."
    overlap = f"interval of {rivals[0]} overlaps" if len(rivals) == 1 else f"intervals of {_listed(rivals)} overlap"
    return said + f"; the {overlap} with it, so another set of clips may change the order."


def order(report: Report) -> str:
    """Whether the test set agrees with the choice."""
    titles = {n.variant: n.title for n in report.networks}
    if [n.variant for n in report.networks] == list(report.test_order):
        return "Validation and test put the networks in the same order."
    first = titles[report.test_order[0]]
    if report.champion is not None and report.test_order[0] == report.champion.variant:
        return "The winner is the same on both; further down the order changes."
    return (
        f"On the test clips {first} comes first. The choice stands nevertheless: it is made by validation, "
        "because a network picked by its test score would look better than it is."
    )


def rarity(report: Report) -> str:
    """What the picture of d-prime against prior cannot show where labels are equally common."""
    priors = [c.prior for c in report.networks[0].classes if c.positives] if report.networks else []
    if priors and max(priors) < 1.5 * min(priors):
        return "Here all labels are about equally common, so they stand in one column."
    return ""


def classes(report: Report) -> str:
    """The easiest and the hardest label."""
    ranked = by_score(report.networks[0].classes, "ap") if report.networks else []
    if len(ranked) < 2:
        return ""
    easy, hard = ranked[0], ranked[-1]
    perfect = [c for c in ranked if (c.ap.value or 0) >= 1.0 - 1e-12]
    best = (
        f"{numbers.counted(len(perfect), 'label').capitalize()} of {len(ranked)} come out perfectly"
        if len(perfect) > 1
        else f"Easiest is {easy.label} ({numbers.metric('ap', easy.ap.value)})"
    )
    return f"{best}; hardest is {hard.label} ({numbers.metric('ap', hard.ap.value)})."


def times(report: Report) -> str:
    """How well the outputs follow the true times, where those are known."""
    found = times_found(report.timelines)
    if found is None:
        return ""
    auc, labels = found
    return (
        "The bars under the image, and the wash under the lines, are when a label is truly heard. Its output is higher "
        f"inside its times than outside in {numbers.percent(auc)} of the pairs of moments (AUC {auc:.2f}, mean over "
        f"{numbers.counted(labels, 'label')} of these clips)."
    )


def confusions(report: Report) -> str:
    """The most frequent confusion."""
    matrix = report.networks[0].confusion if report.networks else None
    if matrix is None:
        return ""
    found = pairs(matrix, report.labels)
    if not found:
        return "Not one clip was taken for another label."
    wrong = sum(p.clips for p in found)
    worst = found[0]
    return (
        f"{numbers.counted(wrong, 'clip').capitalize()} of {sum(map(sum, matrix))} went wrong. Most often "
        f"{worst.truth} was taken for {worst.guess}: {worst.clips} of {worst.of} times."
    )


def unscored(network: Network) -> list[str]:
    """Labels without a positive among the test clips."""
    return [c.label for c in network.classes if c.positives == 0]


_METRIC = {"accuracy": "accuracy", "map": "mAP"}


def _test(network: Network, metric: str) -> Estimate:
    return network.test.get(metric, NOTHING)


def _unheard(report: Report) -> str:
    # What a model that is there has met before, only the remarks can say.
    return numbers.counted(report.clips.get("test", 0), "clip" if report.evaluated else "unheard clip")


def _overlap(one: Estimate, other: Estimate) -> bool:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low <= other.high and other.low <= one.high


def _words(span: str) -> str:
    return span.replace("–", " and ")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
