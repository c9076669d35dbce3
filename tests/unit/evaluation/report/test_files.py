"""Drawings as files: SVG that stands alone, PNG painted from it, numbers as CSV."""

import csv
import io
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from earmark.evaluation.report import ClassScore, Estimate, Timeline, curves, paint, prior, sheets, style, svg, timeline
from earmark.evaluation.report.times import inside_auc, times_found

from ..conftest import a_network


@pytest.fixture
def timed(sound):
    return Timeline(
        sound, ["dog"], [0.2, 0.5, 0.8], {"dog": [0.1, 0.9, 0.2], "rain": [0.3, 0.2, 0.1]}, {"dog": [(0.4, 0.6)]}
    )


@pytest.fixture
def drawings(timed):
    networks = [a_network(i, ["a", "b", "c"]) for i in range(9)]
    return [prior.draw(networks[0].classes, "vgg"), curves.both(networks), timeline.draw(timed)]


def rows(content):
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_a_file_is_valid_xml_with_its_own_colours_in_light_and_dark(drawings):
    for drawing in drawings:
        text = style.alone(drawing).decode()
        root = ElementTree.fromstring(text.encode())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert float(root.get("width")) > 400
        defined = set(re.findall(r"(--[\w-]+):", text))
        assert set(re.findall(r"var\((--[\w-]+)\)", text)) <= defined
        assert style.DARK in text
        assert style.variables()["--paper"] != style.variables(dark=True)["--paper"]


def test_text_that_xml_cannot_hold_is_replaced():
    label = "a\x00<b>&\ud800"
    content = style.alone(prior.draw([ClassScore(label, 1, 0.1, Estimate(1.0), Estimate(0.9), Estimate(2.0))], "vgg"))
    texts = [e.text for e in ElementTree.fromstring(content).iter("{http://www.w3.org/2000/svg}text")]
    assert "a\ufffd<b>&\ufffd" in texts


def test_the_stronger_rule_wins_and_colours_are_resolved():
    assert style.style_of("path", ["line", "n1"])["stroke"] == style.variables()["--c1"]
    assert style.style_of("path", ["line", "thin", "n1"])["stroke-width"] == "1.2"
    assert style.style_of("text", ["end", "n2"])["fill"] == style.variables()["--c2"]
    assert style.style_of("circle", ["ap", "a3"])["fill"] == style.variables()["--a3"]


def test_a_png_shows_what_the_svg_says():
    parts = [svg.rect(10, 10, 30, 20, "when n0"), svg.group([svg.dot(60, 20, 8, "dot n1")], 10, 5)]
    drawing = svg.chart(100, 50, "two things", [*parts, svg.text(5, 45, "costs $5 or $6", "name")])
    image = np.asarray(Image.open(io.BytesIO(paint.png(drawing))).convert("RGB"))
    assert image.shape == (3 * (50 + 2 * style.MARGIN), 3 * (100 + 2 * style.MARGIN), 3)

    def colour(x, y):
        return "#" + bytes(image[3 * (y + style.MARGIN), 3 * (x + style.MARGIN)]).hex()

    told = style.variables()
    assert colour(25, 20) == told["--c0"]
    assert colour(70, 25) == told["--c1"]
    assert colour(95, 5) == told["--paper"]


def test_every_drawing_can_be_painted_and_twice_the_same(drawings):
    for drawing in drawings:
        assert Image.open(io.BytesIO(paint.png(drawing))).size[0] > 1200
    assert paint.png(drawings[2]) == paint.png(drawings[2])


def test_true_times_are_drawn_in_the_hue_of_their_label(timed):
    drawing = str(timeline.draw(timed))
    assert 'class="true n0"' in drawing
    assert 'class="when n0"' in drawing
    assert "dog is truly heard from 0.4 to 0.6 s" in drawing


def test_a_clip_whose_file_is_gone_still_has_its_outputs(timed, sound):
    gone = type(sound)(sound.clip, 0.0, 1.0, "", None)
    drawing = timeline.draw(Timeline(gone, [], timed.times_s, timed.outputs))
    assert "<image" not in drawing
    assert "its file is gone" in drawing
    assert len(paint.png(drawing)) > 1000


def test_classes_as_csv_write_infinity_and_leave_the_undefined_empty():
    classes = [
        ClassScore("dog, large", 3, 0.25, Estimate(1.0, 0.5, 1.0), Estimate(1.0), Estimate(math.inf, 1.5, math.inf)),
        ClassScore("unicorn", 0, 0.0),
    ]
    first, second = rows(sheets.classes_csv(classes))
    assert first["label"] == "dog, large"
    assert (first["d_prime"], first["d_prime_low"], first["d_prime_high"]) == ("inf", "1.5", "inf")
    assert (first["positives"], first["prior"], first["ap"], first["ap_low"]) == ("3", "0.25", "1", "0.5")
    assert second["d_prime"] == second["ap"] == ""


def test_timelines_as_csv_have_a_row_a_time_and_the_truth(timed):
    found = rows(sheets.timeline_csv(timed))
    assert [(r["time_s"], r["dog"], r["dog (true)"], r["rain (true)"]) for r in found] == [
        ("0.2", "0.1", "0", "0"),
        ("0.5", "0.9", "1", "0"),
        ("0.8", "0.2", "0", "0"),
    ]


def test_curves_as_csv_have_a_row_a_point():
    found = rows(sheets.curves_csv([a_network(0, ["a"], train_curve=[(1, 0.5), (2, math.nan)])]))
    assert found[0] == {"network": "resnet50", "measure": "train_loss", "step": "1", "value": "0.5"}
    assert found[1]["value"] == ""
    assert {r["measure"] for r in found} == {"train_loss", "validation_map"}


def test_of_many_curves_those_at_the_ends_are_named():
    drawing = str(curves.both([a_network(i, ["a"], variant=f"v{i}") for i in range(30)]))
    assert drawing.count('class="end n') + drawing.count('class="end strong') == 2 * curves.MOST_NAMED


def test_outputs_are_compared_inside_and_outside_of_true_times(timed):
    assert inside_auc([0, 1, 2, 3], [0.1, 0.9, 0.8, 0.2], [(0.5, 2.5)]) == 1.0
    assert inside_auc([0, 1, 2, 3], [0.9, 0.1, 0.1, 0.9], [(0.5, 2.5)]) == 0.0
    assert inside_auc([0, 1], [0.5, 0.5], [(0.5, 2.5)]) == 0.5
    assert inside_auc([0, 1], [0.5, 0.5], [(0, 2.5)]) is None
    assert times_found([timed]) == (1.0, 1)
    assert times_found([]) is None
