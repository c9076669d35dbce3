import re

import pytest

from earmark.config import GateConfig
from earmark.evaluation.report.gate import render_gate


def span(value, by=0.1):
    return {"value": value, "low": value - by, "high": value + by}


def row(label, challenger, champion, protected=False):
    return {
        "label": label,
        "positives": 4,
        "protected": protected,
        "challenger": span(challenger),
        "champion": span(champion),
        "difference": span(challenger - champion),
    }


def decision(outcome="promoted", labels=("dog", "rain"), **more):
    rows = [row(label, 0.9 - 0.1 * n, 0.5 + 0.2 * n) for n, label in enumerate(labels)]
    none = {"value": None, "low": None, "high": None}
    rows.append({**row("wind", 0, 0), "challenger": none, "champion": none, "difference": none})
    scores = {
        name: {"challenger": span(0.8), "champion": span(0.7), "difference": span(0.1)} for name in ("map", "auc")
    }
    return {
        "name": "birds",
        "version": 7,
        "champion": 6,
        "stands": 7,
        "run": "retrain-1",
        "architecture": "resnet50",
        "champion_architecture": "alexnet",
        "confidence": 0.9,
        "outcome": outcome,
        "why": "mAP 0.800 against 0.700 on 40 clips: -0.1",
        "needed": None,
        "promotion": 3,
        "labels": {"common": 2, "challenger_only": ["door_knock"], "champion_only": []},
        "holdout": {"clips": 40, "groups": 38, "seen": 2, "uses": 0, "digest": "d" * 32},
        "news": {"new": 24, "changed": 1, "removed": 0, "relabelled": 0},
        "scores": scores,
        "classes": rows,
        "gate": GateConfig().model_dump(),
        **more,
    }


def test_the_page_is_one_file_that_tells_the_decision_and_what_was_new():
    page = render_gate(decision())
    assert "<h1>Version 7 takes the place of version 6.</h1>" in page
    assert "40 test clips of 38 groups that neither learned from" in page
    assert "two clips that one of them had learned from left out" in page
    assert re.search(r"24<small>new clips; 1 with another sound</small>", page)
    assert "only the challenger knows them: door knock" in page
    assert "Without a clip among those scored: wind." in page
    assert "ResNet-50, version 7" in page
    for loaded in ("<script", "<link", "http://", "https://"):
        assert loaded not in page


def test_labels_stand_with_the_largest_loss_first():
    page = render_gate(decision())
    assert page.index(">rain<") < page.index(">dog<")


@pytest.mark.parametrize(
    ("outcome", "headline", "command"),
    [
        ("promoted", "takes the place of", "earmark rollback birds"),
        ("refused", "Version 7 is refused; version 6 stays champion.", "earmark promote birds 7 --why"),
        ("undecided", "Undecided; version 6 stays champion.", "earmark promote birds 7 --why"),
        ("unchanged", "Nothing changes", "earmark models birds"),
    ],
)
def test_each_outcome_says_what_can_be_done(outcome, headline, command):
    page = render_gate(decision(outcome))
    assert headline in page
    assert command in page


def test_the_first_version_has_a_page_without_figures():
    nothing = {"clips": 0, "groups": 0, "seen": 0, "uses": 0, "digest": ""}
    page = render_gate(
        decision("first", champion=None, champion_architecture=None, scores={}, classes=[], news=None, holdout=nothing)
    )
    assert "Version 7 is the first champion of birds." in page
    assert "<svg" not in page


def test_worn_clips_are_warned_of():
    worn = {**decision()["holdout"], "uses": 12}
    assert "have judged 12 versions before" in render_gate(decision(holdout=worn))


def test_what_comes_from_data_is_escaped():
    page = render_gate(decision(labels=("<b>dog</b>", "rain"), why="<script>x</script>"))
    assert "<b>dog" not in page
    assert "<script" not in page


def test_many_labels_show_both_ends():
    page = render_gate(decision(labels=[f"label {n}" for n in range(60)]))
    assert page.count("<circle") <= 4 * 40 + 2
