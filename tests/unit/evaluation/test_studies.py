"""A study's table: rows in the order that was asked for, the paper's beside them, charts of what is known."""

from types import SimpleNamespace

import pytest

from earmark.config import Experiment, Variant, make_config
from earmark.evaluation.report import Estimate, Network
from earmark.evaluation.report.study import draw
from earmark.evaluation.studies import study_of

SCORES = {"auc": Estimate(0.9, 0.8, 0.95), "d_prime": Estimate(1.81, 1.2, 2.3), "accuracy": Estimate(0.5)}


def network(name, mean_ap, curve=(0.2, 0.5, 0.4)):
    return Network(
        variant=name,
        architecture="resnet50",
        steps=60,
        seconds=5.0,
        weights=30_000_000,
        multiplies=1_900_000_000,
        test={**SCORES, "map": Estimate(mean_ap, mean_ap - 0.1, mean_ap + 0.1)},
        validation={},
        classes=[],
        train_curve=[(step, 1 / step) for step in range(1, 61)],
        validation_curves={"map": [(20 * (i + 1), value) for i, value in enumerate(curve)]},
    )


def study(question, variants, networks, facts):
    base = make_config("quick", {"evaluate": {"labels": 4}} if question == "labels" else {})
    experiment = Experiment(question=question, base=base, variants=[Variant(name=n, patch=p) for n, p in variants])
    return study_of(experiment, networks, {name: SimpleNamespace(facts=each) for name, each in facts.items()})


def figures(found):
    return [[cell.figure for cell in row] for row in found.rows]


def test_label_sets_stand_in_the_order_of_the_command_beside_table_3():
    variants = [
        ("labels-8", {}),
        ("labels-4", {"train": {"labels": 4}}),
        ("labels-4.bottleneck-16", {"train": {"labels": 4}, "architecture": {"bottleneck": 16}}),
    ]
    facts = {name: {"labels": int(name[7]), "train_clips": 100 * int(name[7])} for name, _ in variants}
    found = study("labels", variants, [network(name, 0.3) for name, _ in reversed(variants)], facts)
    assert figures(found) == [
        ["no", "8", "800", "30M", "0.900", "1.81", "0.300"],
        ["no", "4", "400", "30M", "0.900", "1.81", "0.300"],
        ["16-d", "4", "400", "30M", "0.900", "1.81", "0.300"],
    ]
    assert found.rows[0][-1].span == "0.20–0.40"
    assert "the 4 most frequent" in found.intro
    assert found.paper_rows[1] == ["no", "3,087", "0.930", "2.087", "0.381"]
    assert [series.name for series in found.charts[0].series] == ["no bottleneck", "bottleneck 16"]


def test_a_ladder_tells_clips_epochs_and_which_rungs_fell_from_their_best():
    variants = [("all", {}), ("1-in-10", {"train": {"clip_share": 0.1}})]
    facts = {"all": {"train_clips": 1000, "train_patches": 5000}, "1-in-10": {"train_clips": 100, "train_patches": 480}}
    networks = [network("all", 0.5, curve=(0.3, 0.5, 0.5)), network("1-in-10", 0.2)]
    found = study("data", variants, networks, facts)
    whole, part = figures(found)
    assert whole[:3] == ["1,000", "5,000", "0.77"]
    assert part[:3] == ["100", "480", "8.0"]
    assert part[-2:] == ["0.500", "0.400"]
    assert found.caption.endswith("from its best for 1-in-10.")
    assert [row[2] for row in found.paper_rows] == ["0.10", "1.0", "10", "102", "312"]
    mean_ap = found.charts[0]
    assert mean_ap.log_x
    assert [point[0] for point in mean_ap.series[0].points] == [100, 1000]
    assert [chart.title for chart in found.charts[1:]] == ["Training loss", "Validation mAP"]


def test_variants_have_columns_for_what_differs_alone():
    strided = {"architecture": {"options": {"version": "v1.5"}}}
    variants = [("short", {"train": {"steps": 20}, **strided}), ("slow", {"train": {"learning_rate": 0.01}})]
    found = study("variants", variants, [network(name, 0.3) for name, _ in variants], {"short": {}, "slow": {}})
    assert found.columns[:4] == ("Variant", "version", "learning_rate", "Steps")
    assert [row[:3] for row in figures(found)] == [["short", "v1.5", "0.001"], ["slow", "v1", "0.01"]]
    assert [row[0] for row in found.paper_rows] == ["ResNet-50", "ResNet-50, rate dropped after 13 M steps"]


def test_there_is_no_study_of_networks_nor_of_what_failed():
    assert study("networks", [("resnet50", {})], [network("resnet50", 0.3)], {"resnet50": {}}) is None
    assert study("data", [("all", {})], [], {}) is None


@pytest.mark.parametrize("question", ["labels", "data"])
def test_charts_are_drawn_with_every_interval(question):
    facts = {name: {"labels": n, "train_clips": n, "train_patches": 5 * n} for name, n in (("a", 4), ("b", 40))}
    found = study(question, [("a", {}), ("b", {})], [network("a", 0.3), network("b", 0.4)], facts)
    drawn = str(draw(found.charts[0]))
    assert drawn.count("<circle") == 2
    assert drawn.count('class="span') == 2
    assert "0.400 (0.300 to 0.500)" in drawn
