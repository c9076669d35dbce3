import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.config import GateConfig
from earmark.registry.verdict import judge, losses

LABELS = ["dog", "rain", "siren"]


def scores(targets_NC, strength, seed):
    """Scores that follow the labels as strongly as wanted."""
    noise_NC = np.random.default_rng(seed).normal(size=targets_NC.shape)
    return (targets_NC * strength + noise_NC).astype(np.float32)


def targets(clips, labels=3):
    return np.eye(labels, dtype=np.float32)[np.arange(clips) % labels]


def verdict(clips, challenger, champion, gate=None, labels=LABELS, groups=None):
    y_NC = targets(clips, len(labels))
    given_groups = groups or [str(n) for n in range(clips)]
    challenger_NC, champion_NC = scores(y_NC, challenger, 1), scores(y_NC, champion, 2)
    return judge(y_NC, challenger_NC, champion_NC, given_groups, labels, gate or GateConfig(), 200, 0)


def test_a_better_challenger_is_promoted_with_the_figures_as_the_reason():
    found = verdict(300, 3.0, 1.0)
    assert found.outcome == "promoted"
    difference = found.scores["map"]["difference"]
    assert difference["low"] < difference["value"] < difference["high"]
    assert f"{difference['value']:+.3f} (90% interval {difference['low']:+.3f}" in found.why
    assert "on 300 clips" in found.why


def test_a_worse_challenger_is_refused_with_its_losses_by_class():
    found = verdict(300, 1.0, 3.0)
    assert found.outcome == "refused"
    assert found.why.startswith("worse: mAP")
    assert all(row["difference"]["value"] < 0 for row in found.classes)
    assert [row["value"] for row in losses(found)] == sorted(row["difference"]["value"] for row in found.classes)
    assert losses(verdict(300, 4.0, 0.5)) == []
    assert [(row["label"], row["positives"]) for row in found.classes] == [("dog", 100), ("rain", 100), ("siren", 100)]


def test_where_few_clips_do_not_tell_it_says_about_how_many_more_would():
    few = verdict(30, 1.0, 1.15)
    assert few.outcome == "undecided"
    assert few.needed is None or f"{few.needed:,} more clips would tell" in few.why


def test_about_so_many_more_clips_do_tell():
    y_NC, gate = targets(60), GateConfig(tolerance=0.0)
    pair = scores(y_NC, 1.6, 1), scores(y_NC, 1.4, 2)

    def again(times):
        clips = 60 * times
        told = [np.tile(each, (times, 1)) for each in (y_NC, *pair)]
        return judge(*told, [str(n) for n in range(clips)], LABELS, gate, 400, 0)

    small = again(1)
    assert small.outcome == "undecided"
    times = 1 + small.needed / 60
    assert again(int(times * 0.5)).outcome == "undecided"
    assert again(int(times * 1.5) + 1).outcome == "promoted"


def test_the_same_scores_are_as_good_and_pass_a_margin_of_nothing_only():
    y_NC = targets(60)
    same_NC = scores(y_NC, 1.0, 1)
    arguments = (y_NC, same_NC, same_NC, [str(n) for n in range(60)], LABELS)
    found = judge(*arguments, GateConfig(), 200, 0)
    assert found.outcome == "promoted"
    assert found.scores["map"]["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert judge(*arguments, GateConfig(margin=0.01), 200, 0).outcome == "refused"


def test_a_margin_that_is_not_reached_is_named():
    assert verdict(600, 1.3, 1.0, GateConfig(margin=0.5)).why.startswith("not better by 0.5: mAP")


def protected_case(gate, clips=300):
    y_NC = targets(clips)
    challenger_NC, champion_NC = scores(y_NC, 4.0, 1), scores(y_NC, 1.0, 2)
    challenger_NC[:, 2], champion_NC[:, 2] = scores(y_NC, 0.2, 3)[:, 2], scores(y_NC, 4.0, 4)[:, 2]
    return judge(y_NC, challenger_NC, champion_NC, [str(n) for n in range(clips)], LABELS, gate, 200, 0)


def test_a_loss_in_a_protected_class_refuses_what_would_be_promoted():
    assert protected_case(GateConfig(tolerance=0.5)).outcome == "promoted"
    found = protected_case(GateConfig(tolerance=0.5, protected=("dog",)))
    assert found.outcome == "promoted"
    found = protected_case(GateConfig(protected=("siren",)))
    assert found.outcome == "refused"
    assert found.why.startswith("a protected label got worse: siren -0.")


def test_a_protected_class_with_too_few_clips_does_not_decide():
    gate = GateConfig(protected=("siren",), min_positives=101, tolerance=0.9)
    assert protected_case(gate).outcome == "promoted"


def test_no_clip_at_all_is_undecided():
    nothing = np.zeros((0, 3), np.float32)
    found = judge(nothing, nothing, nothing, [], LABELS, GateConfig(), 200, 0)
    assert (found.outcome, found.clips) == ("undecided", 0)
    assert "add test clips" in found.why


def test_labels_without_a_clip_are_told_apart_from_scores():
    y_NC = np.hstack([targets(30, 2), np.zeros((30, 1), np.float32)])
    found = judge(
        y_NC, scores(y_NC, 2, 1), scores(y_NC, 1, 2), [str(n) for n in range(30)], LABELS, GateConfig(), 200, 0
    )
    assert found.classes[2]["difference"] == {"value": None, "low": None, "high": None}
    only_one = np.ones((30, 1), np.float32)
    told = judge(only_one, only_one, only_one, [str(n) for n in range(30)], ["dog"], GateConfig(), 200, 0)
    assert told.outcome == "undecided"
    assert "none of the labels" in told.why


def test_clips_of_one_group_weigh_as_one_so_the_interval_is_wider():
    alone = verdict(120, 1.5, 1.0)
    grouped = verdict(120, 1.5, 1.0, groups=[str(n // 12) for n in range(120)])
    width = [v.scores["map"]["difference"]["high"] - v.scores["map"]["difference"]["low"] for v in (alone, grouped)]
    assert alone.scores["map"]["difference"]["value"] == grouped.scores["map"]["difference"]["value"]
    assert width[0] != width[1]


@given(st.integers(6, 60), st.floats(0, 3), st.floats(0, 3), st.floats(0, 0.3), st.floats(0, 0.3))
def test_every_verdict_keeps_to_its_rule(clips, challenger, champion, margin, tolerance):
    found = verdict(clips, challenger, champion, GateConfig(margin=margin, tolerance=tolerance))
    value, low, high = (found.scores["map"]["difference"][end] for end in ("value", "low", "high"))
    assert low <= high
    expected = "refused" if high < margin else "promoted" if value >= margin and low >= -tolerance else "undecided"
    assert found.outcome == expected
    assert (found.needed is not None) <= (expected == "undecided")
    assert found.needed is None or found.needed > 0


@pytest.mark.parametrize(("first", "second"), [("promoted", "refused")])
def test_exchanged_models_get_the_opposite_difference(first, second):
    y_NC = targets(300)
    strong_NC, weak_NC = scores(y_NC, 3.0, 1), scores(y_NC, 1.0, 2)
    groups = [str(n) for n in range(300)]
    one = judge(y_NC, strong_NC, weak_NC, groups, LABELS, GateConfig(), 200, 0)
    other = judge(y_NC, weak_NC, strong_NC, groups, LABELS, GateConfig(), 200, 0)
    assert (one.outcome, other.outcome) == (first, second)
    assert one.scores["map"]["difference"]["low"] == pytest.approx(-other.scores["map"]["difference"]["high"])
