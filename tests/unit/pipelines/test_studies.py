"""The studies of the paper's Tables 3 and 4, and files of variants, as they are asked for."""

import shlex
from pathlib import Path

import pytest

from earmark.errors import UserError
from earmark.evaluation.repeat import command
from earmark.pipelines.cli import asking
from earmark.pipelines.requests import ask_data, ask_labels, ask_study
from earmark.pipelines.study_file import study_request

EXAMPLES = Path(__file__).parents[3] / "examples"
QUICK = {"preset": "quick", "architecture": "alexnet"}
SHIPPED = {"fully_connected": 25, "resnet50_long": 2}


def experiment(request):
    from earmark.config import Experiment

    return Experiment.from_json(request.arguments["experiment"])


def labels(sizes="", **patch):
    return ask_labels(str(EXAMPLES / "esc10"), "quick", "alexnet", patch, sizes, 64, "")


def rungs(factor=10.0, rungs=None, **patch):
    return ask_data(str(EXAMPLES / "esc10"), "quick", "alexnet", patch, factor, rungs, "")


def write(folder, text):
    path = folder / "variants.yaml"
    path.write_text(text)
    return path


def test_label_sets_are_tried_without_and_with_a_bottleneck_and_scored_on_the_smallest():
    request = labels()
    assert request.pipeline == "labels"
    assert request.run.startswith("labels-")
    assert request.trains
    assert request.arguments["model"] == ""
    assert list(request.variants) == [f"labels-{size}{end}" for end in ("", ".bottleneck-64") for size in (10, 5, 2)]
    asked = experiment(request)
    assert asked.question == "labels"
    assert {asked.variant(name).evaluate.labels for name in request.variants} == {2}
    assert [asked.variant(name).train.labels for name in request.variants] == [None, 5, 2] * 2
    assert [asked.variant(name).architecture.bottleneck for name in request.variants] == [None] * 3 + [64] * 3


def test_rungs_are_a_factor_apart_at_the_same_steps():
    asked = experiment(rungs(factor=4, rungs=3))
    assert [v.name for v in asked.variants] == ["all-clips", "1-in-4", "1-in-16"]
    configs = [asked.variant(v.name) for v in asked.variants]
    assert [c.train.clip_share for c in configs] == [1, 1 / 4, 1 / 16]
    assert len({c.train.steps for c in configs}) == 1


def test_rungs_go_on_while_a_batch_and_one_clip_a_label_remain():
    # 120 clips in five folds, one of them test, 15 % validation: 82 to learn from; a batch of 64 takes 13 clips.
    assert [v.name for v in experiment(rungs(factor=2)).variants] == ["all-clips", "1-in-2", "1-in-4"]
    assert len(experiment(rungs(factor=100)).variants) == 2


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: labels("all,half"), "'half' is neither a number nor all"),
        (lambda: labels("11"), "11 labels cannot be"),
        (lambda: labels("10,all"), "names a size twice"),
        (lambda: labels(train={"labels": 4}), "config train.labels is what"),
        (lambda: rungs(factor=1), "give a number above 1"),
        (lambda: rungs(rungs=1), "give a number of at least 2"),
        (lambda: rungs(train={"epochs": 3}), "same number of steps"),
    ],
)
def test_what_cannot_be_is_refused(ask, told):
    with pytest.raises(UserError, match=told):
        ask()


def test_the_command_in_a_report_asks_for_the_same():
    for request in (labels("all,4", train={"steps": 30}), rungs(4, 3, seed=5)):
        words = shlex.split(command(request.data, experiment(request)))
        assert words[:3] == ["earmark", "run", request.pipeline]
        given = dict(zip(words[3::2], words[4::2], strict=True))
        typed = {name.strip("-"): value for name, value in given.items()}
        typed |= {name: int(typed[name]) for name in ("steps", "seed", "bottleneck", "rungs") if name in typed}
        typed |= {"factor": float(typed["factor"])} if "factor" in typed else {}
        asked = {"labels": asking.labels, "data": asking.ladder}[request.pipeline](**typed)
        assert asked.run == request.run


def test_the_command_of_a_study_writes_its_file(tmp_path):
    request = ask_study(EXAMPLES / "studies" / "resnet50_long.yaml", "d", None, {"seed": 3}, "")
    written, _, run = command(request.data, experiment(request)).partition("\nEND\n")
    path = write(tmp_path, written.partition("\n")[2])
    words = shlex.split(run)
    assert words[:6] == ["earmark", "run", "study", "variants.yaml", "--data", request.data]
    again = asking.study(path, request.data, preset=words[7], seed=3, set_=["architecture.name=resnet50"])
    assert "--seed" in words
    assert again.run == request.run


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_studies_can_be_asked_for(name):
    found = study_request(EXAMPLES / "studies" / f"{name}.yaml", None, {"train": {"steps": 10}})
    assert len(found.variants) == SHIPPED[name]
    assert found.question == "variants"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- {name: a}\n- {name: a}\n", r"line 2: \[1\].name: a is the name of variant 1, too"),
        ("- name: a\n  patch:\n    train:\n      stepz: 4\n", r"line 4: .*did you mean 'steps'"),
        ("- name: a\n  patch:\n    train: {batch_size: 0}\n", r"line 3: \[0\].patch.train.batch_size: "),
        ("- name: a\n  patch: {data: {test_share: 0.5}}\n", r"line 2: \[0\].patch.data: is the same for all"),
        ("- {name: A b}\n", r"line 1: \[0\].name: "),
        ("variants: []\n", r"line 1: variants: "),
        ("preset: fast\nvariants: [{name: a}]\n", r"line 1: preset: .*fast"),
        ("base: {train: {lr: 1}}\nvariants: [{name: a}]\n", r"line 1: base.train: .*lr"),
        (
            "- name: a\n  patch:\n    architecture: {name: fully_connected, options: {deep: 2}}\n",
            r"line 3: .*did you mean 'depth'",
        ),
        ("preset: paper\nvariants:\n- {name: a}\n", r"line 3: variants\[0\]: nothing says how long to train"),
        ("just words\n", "must hold keys and values"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(tmp_path, text, told):
    with pytest.raises(UserError, match=told):
        study_request(write(tmp_path, text), None, {})
