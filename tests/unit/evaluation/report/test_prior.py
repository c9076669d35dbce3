"""d-prime and average precision against prior: medians, what is infinite, and names that stay apart."""

import math
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from earmark.evaluation.report import ClassScore, Estimate, prior, style

SVG = "{http://www.w3.org/2000/svg}"


def a_class(label, share, d_prime, ap=0.5):
    return ClassScore(label, 8, share, Estimate(ap), Estimate(0.9), Estimate(d_prime))


def many(count):
    rng = np.random.default_rng(0)
    return [
        a_class(f"label number {i}", 10 ** rng.uniform(-4.3, -0.4), rng.normal(2, 0.5), rng.uniform())
        for i in range(count)
    ]


def elements(classes):
    return list(ElementTree.fromstring(style.alone(prior.draw(classes, "vgg"))))


def with_class(found, name):
    return [e for e in found if name in e.get("class", "").split()]


def box(text):
    width = prior.LETTER * len(text.text)
    right = float(text.get("x")) + (0 if text.get("text-anchor") == "end" else width)
    y = float(text.get("y"))
    return right - width, y - 9, right, y + 3


def test_medians_are_of_thirds_of_a_decade():
    scores = [(-3 + i / 100, float(i // 10)) for i in range(100)]
    found = prior.medians(scores)
    assert len(found) in (3, 4)
    assert [v for _, v in found] == sorted(v for _, v in found)
    assert -3 < found[0][0] < found[-1][0] < -2


def test_few_labels_have_one_median():
    assert {v for _, v in prior.medians([(-3.0, 1.0), (-2.0, 2.0), (-1.0, 9.0)])} == {2.0}


def test_what_is_infinite_lies_on_its_own_edge_and_counts_at_the_end_of_the_scale():
    classes = [a_class("best", 0.1, math.inf, 1.0), a_class("worst", 0.2, -math.inf, 0.0)]
    found = elements(classes)
    down, up = (e.get("d") for e in with_class(found, "ap") if e.tag == f"{SVG}path")
    top, bottom = prior.PANELS[0]
    assert f" {top - 5:.1f} L" in up
    assert f" {bottom + 5:.1f} L" in down
    assert not any("nan" in value or "inf" in value for e in found for k, value in e.attrib.items() if k != "class")


@pytest.mark.parametrize("count", [1, 10, 14])
def test_a_few_labels_are_all_named_in_either_panel(count):
    shares = np.geomspace(0.01, 0.5, count)
    found = elements([a_class(f"label {i}", s, 1 + i % 5, 0.1 * (i % 7)) for i, s in enumerate(shares)])
    names = [e.text for e in with_class(found, "name")]
    assert sorted(names) == sorted(2 * [f"label {i}" for i in range(count)])


def test_labels_in_one_column_are_named_a_line_apart():
    found = elements([a_class(f"label {i}", 0.1, 2.0) for i in range(10)])
    heights = sorted(float(e.get("y")) for e in with_class(found, "name"))
    assert len(heights) == 20
    assert all(b - a >= 14.9 for a, b in pairwise(heights))


def test_of_hundreds_of_labels_only_ends_are_named_and_no_name_lies_on_another():
    classes = many(527)
    found = elements(classes)
    names = with_class(found, "name")
    assert 8 <= len(names) <= 4 * prior.NAMED_EACH_END
    ranked = sorted(classes, key=lambda c: c.d_prime.value)
    assert ranked[-1].label in [e.text for e in names]
    for a, b in combinations([box(e) for e in names], 2):
        top, bottom = prior.PANELS[0][1], prior.PANELS[1][0]
        same = (a[1] < (top + bottom) / 2) == (b[1] < (top + bottom) / 2)
        assert not (same and a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])
    assert all(box(e)[0] >= 0 and box(e)[2] <= prior.WIDTH for e in names)
    assert len(with_class(found, "median")) == 2
    assert len([e for e in with_class(found, "ap") if e.tag == f"{SVG}circle"]) == 2 * 527


def test_labels_without_a_score_are_no_drawing():
    assert prior.draw([ClassScore("unicorn", 0, 0.0)], "vgg") is None
