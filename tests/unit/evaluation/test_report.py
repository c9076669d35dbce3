"""The page: one file, nothing loaded, everything escaped, right at every edge."""

import math
import re
from html.parser import HTMLParser

import pytest

from earmark.evaluation.report import ClassScore, Estimate, Failure, Finding, Trust, render_report

from .conftest import a_network

VOID = {"meta", "input", "img", "br", "link"}
SECTIONS = ("table", "training", "labels", "confusion", "clips", "repeat")


class Page(HTMLParser):
    """Elements of a page with their attributes, its text, and whether every element is closed where it should be."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self._open = [], "", []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if not self._open or self._open[-1] not in ("style", "script"):
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def sections(self):
        return [attributes["id"] for attributes in self.all("section")]


def page_of(report):
    return Page(render_report(report))


def plain(text):
    return text.replace("\u202f", " ")


def test_each_network_is_there_with_its_numbers(make_report):
    report = make_report(5)
    text = plain(page_of(report).text)
    for network in report.networks:
        assert network.title in text
        assert f"{network.test['map'].value:.3f}" in text
    assert "0.85–0.95" in text
    assert "2.5M" in text
    assert "31M" in text
    # The paper's rows stand with them.
    for figure in ("0.058", "0.115", "0.161", "0.181", "0.182", "0.212", "119 h", "5M"):
        assert figure in text


def test_the_headline_answers_in_plain_words(make_report):
    text = plain(page_of(make_report(3)).text)
    assert "ResNet-50 recognised 90 % of 80 unheard clips. Guessing gets 10 %." in text
    assert "Three networks learned from 100 clips of three labels for 300 steps each" in text
    assert "accuracy lies between 85 and 95 %; the intervals of Inception V3 and VGG overlap with it" in text


def test_a_clear_winner_is_called_one(make_report):
    networks = [a_network(0, ["a", "b"]), a_network(4, ["a", "b"])]
    text = page_of(make_report(labels=["a", "b"], networks=networks, test_order=[n.variant for n in networks])).text
    assert "clear of every other network's" in text


def test_both_orders_are_told_where_they_differ(make_report):
    report = make_report(3, test_order=["vgg", "resnet50", "inception_v3"])
    page = page_of(report)
    assert "On the test clips VGG comes first. The choice stands nevertheless" in page.text
    assert "1 · 2" in page.text
    assert "3 · 1" in page.text
    assert any("Rank by validation and by test" in (svg.get("aria-label") or "") for svg in page.all("svg"))


def test_what_comes_from_data_is_escaped_everywhere(make_report, a_timeline, a_mistake):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    labels = [evil, "rain"]
    network = a_network(0, labels, variant="alexnet", architecture=evil)
    html = render_report(
        make_report(
            labels=labels,
            networks=[network],
            test_order=["alexnet"],
            source=evil,
            run=evil,
            command=evil,
            config={evil: evil},
            facts=[(evil, evil)],
            failures=[Failure(evil, evil)],
            findings=[Finding(evil, evil, evil, evil)],
            timelines=[type(a_timeline)(a_timeline.sound, [evil], [0.48, 0.5], {evil: [0.9, 0.8], "rain": [0.1, 0.2]})],
            mistakes=[type(a_mistake)(a_mistake.sound, [evil], evil, 0.8, 0.3)],
        )
    )
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    page = Page(html)
    assert len(page.all("script")) == 1
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "<script>alert(1)</script>" in page.text


def test_nothing_is_loaded_from_anywhere(make_report, a_timeline, a_mistake):
    html = render_report(make_report(3, timelines=[a_timeline], mistakes=[a_mistake]))
    page = Page(html)
    assert page.all("link") == []
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "poster", "action", "xlink:href"):
            assert re.match(r"data:|#", attributes.get(name, "#")), (name, attributes[name][:80])
    assert "url(" not in html
    assert "@import" not in html
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|importScripts)\b", html)
    policy = next(m["content"] for m in page.all("meta") if "content" in m and "default-src" in m["content"])
    assert "default-src 'none'" in policy


def test_sounds_and_pictures_are_in_the_page(make_report, a_timeline, a_mistake):
    page = page_of(make_report(timelines=[a_timeline], mistakes=[a_mistake]))
    assert len(page.all("audio")) == 2
    assert all(audio["src"].startswith("data:audio/mpeg;base64,") for audio in page.all("audio"))
    assert page.all("img")[0]["src"].startswith("data:image/png;base64,")
    players = [e for e in page.all("div") if "player" in (e.get("class") or "")]
    assert len(players) == 2
    for player in players:
        assert 0 <= float(player["data-x0"]) < float(player["data-x1"]) <= 1
    assert {"mistakes", "moments"} <= set(page.sections)


def test_a_sound_that_is_not_there_is_said(make_report, a_mistake, sound):
    silent = type(sound)(sound.clip, sound.start_s, sound.seconds, sound.image, None)
    page = page_of(make_report(mistakes=[type(a_mistake)(silent, ["dog"], "rain", 0.8, 0.3)]))
    assert page.all("audio") == []
    assert "The sound itself could not be put into this page." in page.text


@pytest.mark.parametrize("n_labels", [2, 10, 41, 61, 527])
@pytest.mark.parametrize("n_networks", [1, 10])
def test_any_number_of_labels_and_networks(make_report, n_labels, n_networks):
    labels = [f"label {i}" for i in range(n_labels)]
    html = render_report(make_report(n_networks, labels))
    page = Page(html)
    assert len(html) < 8_000_000
    assert "NaN" not in html
    assert "nan" not in re.findall(r'="(nan|inf|-inf)"', html)
    assert list(SECTIONS) == page.sections
    drawn = sum("cell right" in (e.get("class") or "") for e in page.all("rect"))
    assert drawn == (n_labels if n_labels <= 60 else 0)
    bars = sum((e.get("class") or "") == "bar" for e in page.all("rect"))
    assert bars == 3 * min(n_labels, 40)
    assert (f"… {n_labels - 40} labels between …" in page.text) == (n_labels > 40)
    assert f"All {n_labels} labels in figures" in page.text


def test_several_labels_a_clip_leave_out_accuracy_and_confusion(make_report):
    page = page_of(make_report(3, single_label=False))
    assert "confusion" not in page.sections
    headings = [text for text in ("Test accuracy", "Validation accuracy", "Recall") if f">{text}<" in page.text]
    assert headings == []
    assert "ResNet-50 tagged 80 unheard clips with an mAP of 0.900." in page.text
    head = [e for e in page.all("td") if e.get("data-label") == "Accuracy"]
    assert head == []


def test_a_failed_network_is_named_with_its_cause(make_report):
    page = page_of(make_report(2, failures=[Failure("vgg", "the loss is nan at step 7: lower train.learning_rate")]))
    assert "vgg failed:" in page.text
    assert page.text.count("the loss is nan at step 7") == 2  # under the headline and in the table
    assert "Three networks learned" in page.text


def test_where_all_failed_the_page_says_so(make_report):
    page = page_of(make_report(0, failures=[Failure("vgg", "broke"), Failure("alexnet", "broke too")]))
    assert "None of the two networks finished." in page.text
    assert page.sections == ["table", "clips", "repeat"]


def test_labels_without_a_positive_are_named(make_report):
    classes = [
        ClassScore("dog", 8, 0.5, Estimate(0.9), Estimate(0.9), Estimate(1.8), Estimate(0.8)),
        ClassScore("unicorn", 0, 0.0),
    ]
    network = a_network(0, ["dog", "unicorn"], classes=classes)
    text = page_of(make_report(labels=["dog", "unicorn"], networks=[network], test_order=[network.variant])).text
    assert re.search(r"Without a single test clip, and so neither scored nor averaged:\s+unicorn", text)


def test_an_infinite_d_prime_is_drawn_and_written(make_report):
    network = a_network(0, ["a", "b"])
    perfect = {**network.test, "d_prime": Estimate(math.inf, 2.0, math.inf)}
    network = a_network(0, ["a", "b"], test=perfect)
    html = render_report(make_report(labels=["a", "b"], networks=[network], test_order=[network.variant]))
    assert "∞" in html
    assert "2.00–∞" in html
    assert 'd="Mnan' not in html
    assert "inf" not in re.findall(r'(?:cy|y|y1|cx)="([^"]+)"', html)


def test_undefined_scores_are_dashes(make_report):
    nothing = dict.fromkeys(("auc", "d_prime", "map", "accuracy"), Estimate(None))
    network = a_network(0, ["a", "b"], test=nothing, validation=nothing, classes=[], confusion=None)
    text = page_of(make_report(labels=["a", "b"], networks=[network], test_order=[network.variant], chance={})).text
    assert "with an mAP of –" in text


def test_curves_with_gaps_and_short_runs_are_drawn(make_report):
    one = a_network(
        0, ["a", "b"], train_curve=[(1, math.nan), (2, 1.0), (3, 0.5)], validation_curves={"map": [(3, 0.5)]}
    )
    none = a_network(1, ["a", "b"], train_curve=[], validation_curves={})
    html = render_report(make_report(labels=["a", "b"], networks=[one, none], test_order=[one.variant, none.variant]))
    assert "Training loss by step: ResNet-50" in html
    assert "nan" not in re.findall(r'd="([^"]+)"', html)


def test_many_findings_are_counted_and_cut(make_report):
    findings = [Finding(f"{i}.wav", "silent", "", "left out") for i in range(250)]
    text = page_of(make_report(findings=findings)).text
    assert "250 clips of the collection called for a remark." in text
    assert "and 50 more" in text
    assert "199.wav" in text
    assert "200.wav" not in text


def a_trust(method="temperature", ece=0.3, after=0.04, clips=40, labels=("dog", "rain", "saw")):
    bins = [{"count": 30, "score": 0.2, "share": 0.5, "low": 0.4, "high": 0.6}]
    whole = {"clips": clips, "chance": 0.05, "log_loss": 1.0, "bins": bins}
    part = {"before": {**whole, "ece": ece}, "after": {**whole, "ece": after}}
    row = {"value": 0.43, "because": "best F1 on validation", "positives": 4, "precision": 0.5, "recall": None}
    thresholds = [{"label": label, **row} for label in labels]
    return Trust("softmax", method, [0.5] * len(labels), {"validation": part, "test": part}, thresholds)


def test_how_far_to_trust_a_score_is_told_with_its_thresholds_and_their_reasons(make_report):
    page = page_of(make_report(trust=a_trust()))
    text = plain(page.text)
    assert "trust" in page.sections
    assert "On the test clips a score is 30 points away from how often it is right" in text
    assert "4.0 points, no more than chance makes of so few clips" in text
    assert "one temperature, 0.50: it makes them more sure" in text
    assert text.count("best F1 on validation") == 3
    assert "0.300" in text
    assert "As the network gave them" in text
    assert "Calibrated" in text


def test_scores_that_were_left_as_they_are_have_one_reliability_plot(make_report):
    text = plain(page_of(make_report(trust=a_trust(method="none", after=0.3))).text)
    assert "The scores were left as they are" in text
    assert "Calibrated" not in text


def test_no_test_clip_has_no_reliability(make_report):
    nothing = {"clips": 0, "ece": None, "chance": None, "log_loss": None, "bins": []}
    found = a_trust()
    empty = Trust(found.output, "none", [1.0] * 3, {"test": {"before": nothing, "after": nothing}}, found.thresholds)
    assert "trust" in page_of(make_report(trust=empty)).sections


def test_labels_in_the_table_of_thresholds_are_escaped(make_report):
    evil = "<script>alert(1)</script>"
    html = render_report(make_report(trust=a_trust(labels=(evil,))))
    assert evil not in html


def test_a_model_that_was_only_scored_tells_nothing_of_training(make_report):
    page = page_of(make_report(1, evaluated="earmark/3", remarks=["earmark/3 was scored on 80 clips."]))
    text = plain(page.text)
    assert "earmark/3 was scored on 80 clips." in text
    assert "earmark/3 on labelled sound" in text
    for word in ("Training took", "Steps", "Rank", "validation mAP", "unheard"):
        assert word not in text


def test_what_training_cost_has_columns_only_where_it_is_known(make_report):
    plain_page = page_of(make_report(2)).text
    assert "GPU time" not in plain_page
    assert "Cost" not in plain_page
    labels = ("dog", "rain", "saw")
    networks = [a_network(0, labels, gpu_seconds=7200.0, cost=5.5), a_network(1, labels, cost=1.25)]
    text = plain(page_of(make_report(2, networks=networks)).text)
    assert "GPU time" in text
    assert "5.50" in text
    assert "2.0 h of GPUs, 6.75 in cost" in text
