"""The whole graph, run as a user runs it, on real clips."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from planted import leaks, leaks_below

from .conftest import SMALL, earmark


def compare(data, work, *more):
    return earmark("run", "compare", "--data", data, "--work", work, *SMALL, *more)


def test_one_json_document_tells_the_result(compared):
    _work, document, done = compared
    assert done.stdout.count("\n") == 1
    assert document["evaluated_clips"] == 12
    assert len(document["digest"]) >= 16
    assert {n["name"] for n in document["networks"]} == {"fully_connected", "alexnet"}
    for network in document["networks"]:
        assert network["steps"] == 12
        assert network["seconds"] > 0
        assert network["weights"] > 1000
        assert network["multiplies"] >= network["weights"]
        assert 0 <= network["map"] <= 1
        assert 0 <= network["auc"] <= 1
        assert 0 <= network["accuracy_low"] <= network["accuracy"] <= network["accuracy_high"] <= 1
    assert document["champion"] == {"name": "earmark", "version": 1}


def test_the_networks_stand_in_the_order_of_the_validation_part(compared):
    _, document, _ = compared
    scores = [network["validation"]["map"] for network in document["networks"]]
    assert scores == sorted(scores, reverse=True)
    assert sorted(document["test_order"]) == ["alexnet", "fully_connected"]


def test_the_report_is_one_file_that_needs_no_network(compared):
    _, document, _ = compared
    page = Path(document["report"]).read_text(encoding="utf-8")
    assert len(page) < 8_000_000
    assert "AlexNet" in page
    assert '<script src="' not in page
    assert '<link rel="stylesheet"' not in page
    assert "data:audio/mpeg;base64," in page


def test_progress_goes_to_standard_error(compared):
    _, _, done = compared
    for step in ("build_catalog", "extract_features", "assemble_dataset", "train_model/alexnet", "register_model"):
        assert f"✓ {step}" in done.stderr


def test_no_secret_is_in_anything_that_it_wrote(compared):
    work, _, done = compared
    assert leaks(done.stdout, done.stderr) == set()
    assert list(work.glob("logs/*.log"))
    assert (work / "mlflow.db").is_file()
    assert leaks_below(work) == {}


def test_a_second_time_nothing_is_computed(compared, three_labels):
    work, document, _ = compared
    again = compare(three_labels, work, "--json")
    assert again.returncode == 0, again.stderr
    assert "every step was done already" in again.stderr
    second = json.loads(again.stdout)
    assert second == document


def test_runs_and_models_are_listed(compared):
    work, document, _ = compared
    runs = json.loads(earmark("runs", "--work", work, "--json").stdout)
    assert [(r["run"], r["state"]) for r in runs] == [(document["run"], "succeeded")]
    models = json.loads(earmark("models", "--work", work, "--json").stdout)
    assert [(m["name"], m["version"], m["aliases"]) for m in models] == [("earmark", 1, ["champion"])]
    assert models[0]["architecture"] == document["networks"][0]["name"]
    assert math.isclose(models[0]["map"], document["networks"][0]["map"], abs_tol=1e-6)


def test_the_report_of_a_run_is_written_where_it_is_wanted(compared, tmp_path):
    work, document, _ = compared
    done = earmark("report", document["run"], "--output", tmp_path / "page.html", "--work", work)
    assert done.stdout.strip() == str(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == Path(document["report"]).read_bytes()


def test_the_weights_are_readable_without_earmark(compared):
    work, _, _ = compared
    from safetensors.numpy import load_file

    found = list((work / "store" / "results" / "train_model").glob("*/weights-*.safetensors"))
    assert len(found) == 2
    assert all(np.isfinite(tensor).all() for path in found for tensor in load_file(path).values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--architectures", "resnet"], "did you mean 'resnet50'"),
        (["--preset", "quik"], "did you mean 'quick'"),
        (["--preset", "paper"], "train.steps"),
        (["--set", "train.stepps=3"], "did you mean 'steps'"),
        (["--set", "train.steps=0"], "train.steps"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, refused, three_labels, tmp_path):
    last = refused("run", "compare", "--data", three_labels, *arguments, "--work", tmp_path / "work").splitlines()[-1]
    assert last.startswith("earmark: ")
    assert message in last


def test_data_that_is_not_there_is_one_line_and_exit_code_2(tmp_path):
    done = earmark("run", "compare", "--data", "nowhere", "--work", tmp_path / "work", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("earmark: ")
    assert "nowhere" in last
    assert "Traceback" not in done.stderr + done.stdout


def test_a_work_folder_that_cannot_be_written_is_named(refused, three_labels, tmp_path):
    (tmp_path / "work").write_text("a file")
    told = refused("run", "compare", "--data", three_labels, "--work", tmp_path / "work", *SMALL)
    assert f"cannot write the work folder {tmp_path / 'work'}" in told
