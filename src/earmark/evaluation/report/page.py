"""The page: one file with everything in it."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from earmark.evaluation.report import (
    classes,
    confusion,
    cost,
    curves,
    numbers,
    prior,
    ranking,
    study,
    svg,
    table2,
    timeline,
    trust,
    words,
)
from earmark.evaluation.report.data import NOTHING, Network, Report

MOST_PAIRS = 10
MOST_FINDINGS = 200
MOST_THRESHOLDS = 60


def render_report(report: Report) -> str:
    """The whole HTML page of a comparison; nothing in it is loaded from elsewhere."""
    best = report.champion
    charts = _charts(report)
    page = {
        "report": report,
        "champion": best,
        "words": {
            "headline": words.headline(report),
            "summary": words.summary(report),
            "order": words.order(report) if len(report.networks) > 1 else "",
            "classes": words.classes(report),
            "confusions": words.confusions(report),
            "rarity": words.rarity(report),
        },
        "keys": _keys(report, best) if best else [],
        "charts": charts,
        "study_charts": [(c.title, study.draw(c)) for c in report.study.charts] if report.study else [],
        "columns": table2.columns(report),
        "rows": table2.rows(report),
        "unscored": words.unscored(best) if best else [],
        "pairs": confusion.pairs(best.confusion, report.labels)[:MOST_PAIRS] if best and best.confusion else [],
        "trust_plots": trust.plots(report.trust) if report.trust else [],
        "trust_rows": trust.rows(report.trust) if report.trust else [],
        "trust_say": trust.sentences(report.trust) if report.trust else [],
        "times_say": words.times(report),
        "most_named": prior.MOST_NAMED,
        "timelines": [(t, timeline.draw(t)) for t in report.timelines] if best else [],
        "timeline_span": (timeline.LEFT / timeline.WIDTH, timeline.RIGHT / timeline.WIDTH),
        "contents": _contents(report, charts),
        "findings": _findings(report),
        "findings_say": _findings_say(report),
        "most_findings": MOST_FINDINGS,
        "most_thresholds": MOST_THRESHOLDS,
        "confidence": numbers.percent(report.confidence),
        "fact_names": list(dict.fromkeys(name for n in report.networks for name in n.facts)),
        "config": json.dumps(report.config, indent=1, ensure_ascii=False),
        "hue": svg.hue,
        "metric": numbers.metric,
        "score": numbers.score,
        "interval": numbers.interval,
        "percent": numbers.percent,
        "duration": numbers.duration,
        "css": Markup(_resource("page.css")),
        "js": Markup(_resource("page.js")),
    }
    return _template().render(page)


def _charts(report: Report) -> dict[str, Any]:
    networks = report.networks
    if not networks:
        return {"forests": [], "orders": None, "cost": None, "curves": [], "bars": [], "prior": None, "confusion": None}
    best = networks[0]
    forests = [("Test mAP", ranking.intervals(networks, "map", report.chance.get("map")))]
    lines = [("Training loss", curves.loss(networks)), ("Validation mAP", curves.validation(networks, "map"))]
    bars = [("Average precision", classes.bars(networks, "ap")), ("AUC", classes.bars(networks, "auc"))]
    times = [] if report.evaluated else [("Time to train", cost.times(networks))]
    if not report.single_label:
        forests.append(("Test AUC", ranking.intervals(networks, "auc", 0.5)))
        lines.append(("Validation AUC", curves.validation(networks, "auc")))
    else:
        forests.insert(0, ("Test accuracy", ranking.intervals(networks, "accuracy", report.chance.get("accuracy"))))
        lines.append(("Validation accuracy", curves.validation(networks, "accuracy")))
        bars.insert(1, ("Recall", classes.bars(networks, "recall")))
    return {
        "forests": forests,
        "orders": ranking.orders(networks, report.test_order) if len(networks) > 1 else None,
        "cost": cost.frontier(networks),
        "curves": [(name, drawing) for name, drawing in [*lines, *times] if drawing],
        "bars": [(name, drawing) for name, drawing in bars if drawing],
        "prior": prior.draw(best.classes, best.title),
        "confusion": confusion.draw(best.confusion, report.labels, best.title) if best.confusion else None,
    }


def _keys(report: Report, best: Network) -> list[dict[str, str]]:
    shown = ["accuracy", "map", "auc", "d_prime"] if report.single_label else ["map", "auc", "d_prime"]
    names = {"accuracy": "Accuracy", "map": "Mean average precision", "auc": "AUC", "d_prime": "d-prime"}
    keys = []
    for metric in shown:
        estimate = best.test.get(metric, NOTHING)
        keys.append(
            {
                "name": names[metric],
                "figure": numbers.metric(metric, estimate.value),
                "note": numbers.interval(metric, estimate),
            }
        )
    if report.evaluated:
        return keys
    keys.append({"name": "Training took", "figure": numbers.duration(best.seconds), "note": _taken(report)})
    return keys


def _taken(report: Report) -> str:
    """What training took in all, where that is more than the figure beside it says."""
    networks = report.networks
    gpu_seconds = sum(network.gpu_seconds or 0 for network in networks)
    costs = [network.cost for network in networks if network.cost is not None]
    parts = [f"of {numbers.duration(sum(n.seconds for n in networks))} for all"] if len(networks) > 1 else []
    parts += [f"{numbers.duration(gpu_seconds)} of GPUs"] if gpu_seconds else []
    parts += [f"{numbers.cost(sum(costs))} in cost"] if costs else []
    return ", ".join(parts)


def _contents(report: Report, charts: dict[str, Any]) -> list[tuple[str, str]]:
    best = report.champion
    shown = [
        ("study", report.study.title if report.study else "", report.study is not None),
        ("table", "Its scores" if report.evaluated else "Side by side", bool(report.networks or report.failures)),
        ("training", "How they learned", bool(charts["curves"])),
        ("labels", "Label by label", bool(charts["bars"])),
        ("confusion", "What it takes for what", bool(best and best.confusion)),
        ("trust", "How far to trust a score", bool(report.trust)),
        ("mistakes", "Surest when wrong", bool(report.mistakes)),
        ("moments", "Moment by moment", bool(best and report.timelines)),
        ("clips", "The clips", True),
        ("repeat", "Repeat it", True),
    ]
    return [(anchor, title) for anchor, title, there in shown if there]


def _findings(report: Report) -> list[tuple[str, str, int]]:
    counts = Counter((f.finding, f.action) for f in report.findings)
    return [(finding, action, count) for (finding, action), count in counts.most_common()]


def _findings_say(report: Report) -> str:
    clips = len({f.clip for f in report.findings})
    return f"{numbers.counted(clips, 'clip').capitalize()} of the collection called for a remark." if clips else ""


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_resource("page.html.j2"))


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
