"""The step compare_models: who is first, who is refused, who is named."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from earmark.config import compare_experiment, make_config
from earmark.errors import EarmarkError
from earmark.evaluation.gather import readable
from earmark.evaluation.ranking import by_test, by_validation
from earmark.evaluation.repeat import command
from earmark.store import Manifest, once
from earmark.store.tables import write_table

from .conftest import PATCH, QUIET


def evaluation(variant, validation, test):
    """An evaluation with nothing but (mAP, accuracy) of both parts."""
    facts = {"variant": variant}
    for split, (value, accuracy) in {"validation": validation, "test": test}.items():
        facts[split] = {"map": value, "accuracy": accuracy}
    return Manifest("evaluate_model", variant, variant, {}, facts)


def names(manifests):
    return [m.facts["variant"] for m in manifests]


def test_validation_ranks_and_test_only_reports():
    found = [
        evaluation("a", (0.5, 0.9), (0.9, 0.9)),
        evaluation("b", (0.8, 0.1), (0.1, 0.1)),
        evaluation("c", (0.5, 0.95), (0.5, 0.5)),
    ]
    assert names(by_validation(found)) == ["b", "c", "a"]
    assert by_test(found) == ["a", "c", "b"]


def test_what_is_undefined_comes_last_and_ties_go_by_name():
    found = [
        evaluation("z", (0.5, None), (0.5, None)),
        evaluation("y", (0.5, None), (0.5, None)),
        evaluation("nothing", (None, None), (None, None)),
    ]
    assert names(by_validation(found)) == ["y", "z", "nothing"]


def test_the_result_tells_networks_orders_and_champion(compare, metrics, chain):
    result = compare()
    best = max(metrics.values(), key=lambda m: m.facts["validation"]["map"])
    facts = result.facts
    assert facts["champion"] == best.facts["variant"] == facts["networks"][0]["name"]
    assert sorted(facts["test_order"]) == ["alexnet", "fully_connected"]
    assert facts["evaluated_clips"] == 12
    assert facts["digest"] == best.facts["digest"]
    assert facts["dataset"]["digest"] == chain.dataset.digest
    first = facts["networks"][0]
    assert first["map"] == best.facts["test"]["map"]
    assert first["validation"] == best.facts["validation"]
    assert (first["steps"], first["seconds"]) == (4, 7.5)
    assert compare().reused


def test_scores_on_different_clips_are_not_ranked(compare, metrics):
    one, other = metrics.values()
    strange = replace(other, facts={**other.facts, "digest": "0" * 32})
    with pytest.raises(EarmarkError, match="cannot be ranked") as error:
        compare([one, strange])
    assert one.facts["digest"] in str(error.value)
    assert "0" * 32 in str(error.value)
    assert "the same dataset" in str(error.value)


def test_a_failed_network_is_named_and_the_others_are_compared(compare, metrics, checkpoints, chain):
    trained = [checkpoints["fully_connected"], Manifest.failure("train_model", "alexnet", "out of memory")]
    result = compare([metrics["fully_connected"]], [{"variant": "alexnet", "cause": "out of memory"}], trained=trained)
    assert result.facts["champion"] == "fully_connected"
    assert result.facts["failures"] == [{"variant": "alexnet", "cause": "out of memory"}]
    page = result.files["report.html"].read(chain.store).decode()
    assert "alexnet failed:" in page
    assert "out of memory" in page


def test_where_nothing_succeeded_there_is_no_champion_but_a_report(compare, chain):
    failures = [{"variant": v, "cause": f"{v} broke"} for v in ("fully_connected", "alexnet")]
    result = compare([], failures, trained=[])
    assert result.facts["champion"] is None
    assert result.facts["networks"] == []
    page = result.files["report.html"].read(chain.store).decode()
    assert "None of the two networks finished." in page
    assert "alexnet broke" in page


def test_a_variant_of_which_nothing_is_known_is_missed(compare, metrics):
    with pytest.raises(EarmarkError, match="alexnet was neither evaluated nor reported as failed"):
        compare([metrics["fully_connected"]])


def test_the_report_of_real_clips_has_sounds_and_findings_and_is_small(compare, chain):
    page = compare().files["report.html"].read(chain.store).decode()
    assert page.count("data:audio/mpeg;base64,") >= 3
    assert page.count("data:image/png;base64,") >= 3
    assert len(page.encode()) <= 8_000_000
    assert "baby cry" in page


def test_sounds_that_are_gone_leave_a_report_without_them(chain, metrics, checkpoints, experiment, tmp_path):
    from earmark.evaluation import compare_models

    catalog = replace(chain.catalog, facts={**chain.catalog.facts, "data": str(tmp_path)})
    result = compare_models(
        chain.store,
        list(metrics.values()),
        list(checkpoints.values()),
        catalog,
        chain.patches,
        chain.dataset,
        [],
        experiment,
        "run-1",
        QUIET,
    )
    page = result.files["report.html"].read(chain.store).decode()
    assert "data:audio" not in page
    assert "AlexNet" in page


def test_findings_of_the_dataset_are_told(chain, metrics, checkpoints, experiment):
    from earmark.evaluation import compare_models

    names = ("clip_id", "finding", "detail", "action")
    rows = [("a/<b>.wav", "silent", "peak -96 dB", "left out"), ("c.wav", "clipped", "2 % of its samples", "kept")]
    table = write_table(dict(zip(names, zip(*rows, strict=True), strict=True)))

    def work(attempt):
        attempt.put("findings.parquet", table)

    found = once(chain.store, "assemble_dataset", "with-findings", work)
    dataset = replace(chain.dataset, files={**chain.dataset.files, **found.files})
    result = compare_models(
        chain.store,
        list(metrics.values()),
        list(checkpoints.values()),
        chain.catalog,
        chain.patches,
        dataset,
        [],
        experiment,
        "run-1",
        QUIET,
    )
    page = result.files["report.html"].read(chain.store).decode()
    told = page[page.index("What was found in the clips") :]
    assert "Two clips of the collection called for a remark." in told
    for text in ("a/&lt;b&gt;.wav", "peak -96 dB", "left out", "clipped", "kept"):
        assert text in told


def test_comparing_imports_no_torch_and_no_mlflow():
    code = (
        "import sys, earmark.evaluation.compare, earmark.evaluation.gather\n"
        "print([m for m in ('torch', 'mlflow', 'sklearn', 'scipy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_says_all_that_differs_from_the_preset():
    from earmark.pipelines.settings import assignment

    experiment = compare_experiment(make_config("quick", {**PATCH, "seed": 3}), ("alexnet", "vgg"))
    told = command("/data/my clips", experiment)
    assert "--data '/data/my clips' --preset quick --architectures alexnet,vgg" in told
    assert "--seed 3" in told
    assert "--steps 4" in told
    words = told.split()
    given = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    assert sorted(given) == [
        "architecture.width=0.05",
        "data.validation_share=0.3",
        "evaluate.bootstrap_resamples=100",
    ]
    assert assignment(given[0])


def test_labels_are_made_readable_only_where_they_stay_apart():
    assert readable(["dog_bark", "rain"]) == ["dog bark", "rain"]
    assert readable(["a_b", "a b"]) == ["a_b", "a b"]
    assert readable(["_"]) == ["_"]


def test_style_sheet_and_template_are_in_the_package():
    from earmark.evaluation import report

    folder = Path(report.__file__).parent
    assert {"page.css", "page.js", "page.html.j2"} <= {path.name for path in folder.iterdir()}
