"""Labels, file names and messages in pages and figures: text, whatever they say."""

import ast
import csv
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save

import earmark
from earmark.architectures import count, create
from earmark.catalog import assemble_dataset, build_catalog
from earmark.config import GateConfig, compare_experiment, make_config
from earmark.corpus import describe, inspect
from earmark.corpus.page import render_description
from earmark.evaluation import compare_models, evaluate_model
from earmark.evaluation.figures import figures_of
from earmark.evaluation.report.gate import render_gate
from earmark.features import extract_features
from earmark.progress import Progress
from earmark.store import once, open_store

QUIET = Progress("test", mode="off")
LABELS = (
    "\"><script hostile>alert(1)</script><b hostile='",
    "</svg></style><img hostile src=x onerror=alert(2)>",
    "javascript:alert(3)' onload='hostile' &lt {{ 7*7 }}",
)
FILES = ("a</svg><script hostile>b", "]]><!--<i onclick='hostile'>", 'javascript:"hostile" style="e"')
RUN = "</title></script><script hostile>alert(5)</script>"
VOID = {"meta", "input", "img", "br", "link", "source"}


class Page(HTMLParser):
    """Elements of a page as a browser sees them: names, attributes and text, and that all are closed."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.open = [], "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data


def check(html, scripts=0):
    """No element and no attribute came from a hostile text, which is there as text."""
    page = Page(html)
    assert page.open == []
    assert "hostile" in page.text
    assert [tag for tag, _ in page.elements].count("script") == scripts
    for tag, attributes in page.elements:
        assert "hostile" not in tag
        for name, value in attributes.items():
            assert "hostile" not in name
            assert not name.startswith("on")
            if name in ("src", "href", "action", "formaction", "data", "xlink:href"):
                assert re.match(r"data:(image|audio)/|#", value)
            if name == "style":
                assert re.fullmatch(r"[\w: ;.%()-]*", value)
    policy = next(told["content"] for tag, told in page.elements if tag == "meta" and "http-equiv" in told)
    assert policy.startswith("default-src 'none';")


def config():
    """So small that a step takes no time."""
    patch = {"train": {"steps": 4}, "architecture": {"width": 0.02}, "data": {"max_rejected_share": 0.5}}
    return make_config("quick", patch | {"evaluate": {"bootstrap_resamples": 100}})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return open_store(tmp_path_factory.mktemp("pages") / "store")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Nine clips of noise, three a label in three splits, whatever can be hostile about them."""
    folder = tmp_path_factory.mktemp("pages") / "<script>data"
    random, rows = np.random.default_rng(0), []
    for label, file in zip(LABELS, FILES, strict=True):
        for split in ("train", "validation", "test"):
            rows.append({"file": f"{file}{split}.wav", "label": label, "split": split})
            (folder / rows[-1]["file"]).parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / rows[-1]["file"], random.normal(0, 0.1, 16_000).clip(-1, 1), 16_000)
    rows.append({"file": f"{FILES[0]}silent.wav", "label": LABELS[0], "split": "train"})
    soundfile.write(folder / rows[-1]["file"], np.zeros(16_000), 16_000)
    with (folder / "clips.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def made(store, data):
    """What the steps of a comparison hand on, by name; the network is one that learned nothing."""
    experiment = compare_experiment(config(), ("fully_connected",))
    base = experiment.variant("fully_connected")
    catalog = build_catalog(store, str(data), base.data, QUIET)
    patches = extract_features(store, catalog, base.features, base.data, QUIET)
    dataset = assemble_dataset(store, catalog, patches, base.data, QUIET)

    def trained(attempt):
        torch.manual_seed(0)
        network = create("fully_connected", 3, 0.02, dropout=base.architecture.dropout)
        attempt.put("weights.safetensors", save(network.state_dict()))
        parts = {name: getattr(base, name).model_dump() for name in ("architecture", "features", "evaluate")}
        labels = dataset.facts["labels"]
        attempt.put_json("model.json", {"schema_version": 1, "labels": labels, "output": "sigmoid", **parts})
        curve = [{"step": s, "loss": 1 / s, "learning_rate": 1e-3, "patches_per_s": 9.0} for s in (1, 2)]
        points = [{"step": s, "map": 0.5, "auc": 0.5, "accuracy": 0.5} for s in (1, 2)]
        attempt.put_json("curves.json", {"train": curve, "validation": points})
        counts = count(network)
        attempt.facts = {"variant": "fully_connected", "name": "fully_connected", "steps": 4, "seconds": 7.5}
        attempt.facts |= {"weights": counts.weights, "multiplies": counts.multiplies, "precision": "fp32"}
        attempt.facts |= {"device": RUN, "patches_seen": 64, "patches_per_s": 9.0, "restarts": 0}

    checkpoint = once(store, "train_model", "a" * 32, trained)
    metrics = evaluate_model(store, checkpoint, dataset, patches, base, QUIET)
    failures = [{"variant": "alexnet", "cause": RUN}]
    inputs = (catalog, patches, dataset)
    compared = compare_models(store, [metrics], [checkpoint], *inputs, failures, experiment, RUN, QUIET)
    manifests = {"build_catalog": catalog, "extract_features": patches, "assemble_dataset": dataset}
    return manifests | {"train_model": checkpoint, "evaluate_model": metrics, "compare_models": compared}


def test_the_report(store, made):
    html = made["compare_models"].files["report.html"].read(store).decode()
    check(html, scripts=1)
    for text in (*LABELS, *FILES, RUN):
        assert text not in html


def test_the_description_of_data(tmp_path, data):
    told = describe(*inspect(open_store(tmp_path / "store"), str(data), config(), lambda _: QUIET))
    check(render_description(data.name, told | {"form": RUN}))


def span(value):
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def test_the_decision_of_the_gate():
    three = {"challenger": span(0.8), "champion": span(0.7), "difference": span(0.1)}
    decision = {"name": RUN, "version": 7, "champion": 6, "stands": 7, "run": RUN, "promotion": 3, "confidence": 0.9}
    decision |= {"architecture": RUN, "champion_architecture": RUN, "outcome": "refused", "why": RUN, "needed": None}
    decision |= {"labels": {"common": 2, "challenger_only": LABELS, "champion_only": LABELS}}
    decision |= {"holdout": {"clips": 40, "groups": 38, "seen": 2, "uses": 1, "digest": RUN}}
    decision |= {"news": {"new": 24, "changed": 1, "removed": 0, "relabelled": 0}, "gate": GateConfig().model_dump()}
    decision |= {"scores": {"map": three, "auc": three}}
    decision["classes"] = [{"label": label, "positives": 4, "protected": True, **three} for label in LABELS]
    check(render_gate(decision))


def test_figures_as_files(store, made):
    for step, manifest in made.items():
        store.put(f"runs/run-1/{step}.json", manifest.to_json().encode())
    drawn = dict(figures_of(store, "run-1").files())
    svgs = {name: ET.fromstring(content) for name, content in drawn.items() if name.endswith(".svg")}
    assert {name.partition("-")[0] for name in svgs} == {"prior.svg", "curves.svg", "timeline"}
    for name, root in svgs.items():
        assert re.fullmatch(r"[\w.-]+", name)
        elements = list(root.iter())
        assert {each.tag.rpartition("}")[2] for each in elements}.isdisjoint(
            {"script", "img", "i", "a", "foreignObject"}
        )
        for each in elements:
            assert not any("hostile" in key or key.startswith("on") for key in each.attrib)
    assert "hostile" in "".join(svgs["prior.svg"].itertext())


def test_every_page_escapes_all_and_trusts_only_its_own_files():
    library = Path(earmark.__file__).parent
    for path in library.rglob("*.j2"):
        template = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape", template), path
        # what stands within quotes: a value could end an attribute without them
        assert not re.search(r"=\{\{", template), path
        assert "Content-Security-Policy" in template, path
    trusted = set()
    for path in (*library.glob("evaluation/**/*.py"), *library.glob("corpus/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Markup":
                trusted.add((path.name, ast.unparse(node.args[0])))
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "Environment"
                and node.keywords
            ):
                assert "autoescape=True" in ast.unparse(node), path
    resources = {told for name, told in trusted if name != "svg.py"}
    assert all(re.fullmatch(r"_resource\((\'[\w.]+\', )?\'page\.(css|js)\'\)", told) for told in resources), resources
    own = {told for name, told in trusted if name == "svg.py"}
    assert own == {"''", "' {}=\"{}\"'", "'<{0}{1}>{2}</{0}>'", "name"}
