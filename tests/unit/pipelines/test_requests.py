"""What is asked is the same run wherever it is asked: the same options make the same request."""

import pytest

from earmark.errors import UserError
from earmark.pipelines.cli import asking
from earmark.pipelines.requests import ask_compare, ask_crossval, ask_embed
from earmark.pipelines.runs import run_id

QUICK = {"preset": "quick", "architectures": "alexnet, resnet50", "steps": 20}


def test_a_run_is_named_by_its_pipelines_parameters():
    request = asking.compare(data="s3://sounds/birds", **QUICK)
    assert request.run == run_id("compare", request.arguments)
    assert request.run.startswith("compare-")
    assert request.arguments["variants"] == ["alexnet", "resnet50"] == list(request.variants)
    assert set(request.arguments) == {"data", "experiment", "variants", "model"}
    assert request == ask_compare(
        "s3://sounds/birds", "quick", ["alexnet", "resnet50"], {"train": {"steps": 20}}, "earmark"
    )


def test_every_part_of_what_is_asked_makes_another_run():
    plain = {"data": "s3://sounds/birds", **QUICK}
    others = [{"data": "s3://sounds/dogs"}, {"steps": 21}, {"seed": 7}, {"model": "dogs"}, {"architectures": "alexnet"}]
    runs = {asking.compare(**plain).run, *(asking.compare(**{**plain, **other}).run for other in others)}
    assert len(runs) == 1 + len(others)


def test_a_local_folder_means_the_same_from_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = asking.compare(data="birds", **QUICK)
    assert here.data == str(tmp_path / "birds")
    assert here == asking.compare(data=str(tmp_path / "birds"), **QUICK)


def test_seeds_ask_for_a_cross_validation_that_registers_nothing():
    request = asking.compare(data="s3://sounds/birds", **QUICK, seeds="2")
    assert request == ask_crossval(
        "s3://sounds/birds", "quick", ["alexnet", "resnet50"], {"train": {"steps": 20}}, None, "2"
    )
    assert (request.pipeline, request.model, len(request.variants)) == ("crossval", "", 4)
    assert "4 models (networks × folds × seeds) on s3://sounds/birds" in request.told


def test_what_cannot_be_is_refused_when_it_is_asked():
    with pytest.raises(UserError, match="did you mean 'alexnet'"):
        asking.compare(data="d", architectures="alexnot")
    with pytest.raises(UserError, match="did you mean 'whitened'"):
        ask_embed("earmark", "d", "whitend")
