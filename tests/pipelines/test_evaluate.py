"""``earmark evaluate`` as a user runs it."""

import json
import shutil

from .conftest import earmark


def evaluate(work, *arguments):
    done = earmark("evaluate", *arguments, "--work", work)
    log = "".join(path.read_text() for path in work.glob("logs/evaluate*.log"))
    return done, log


def test_a_registered_version_scores_on_its_data_what_its_run_reported(compared, three_labels):
    work, run, _ = compared
    done, log = evaluate(work, "earmark", "--data", three_labels, "--json")
    assert done.returncode == 0, done.stderr + log[-3000:]
    found = json.loads(done.stdout)
    champion = run["networks"][0]
    assert found["model"] == "earmark/1"
    assert abs(found["test"]["map"] - champion["map"]) < 1e-6
    assert found["clips"]["test"] == run["evaluated_clips"]
    assert found["left_out"]["trained on"] == len(found["clips_left_out"]) == 36 - run["evaluated_clips"]
    assert found["reliability"]["before"]["ece"] is not None
    page = work / "reports" / f"{found['run']}.html"
    assert "How far to trust a score" in page.read_text()
    again, _ = evaluate(work, "earmark/1", "--data", three_labels)
    assert "every step was done already" in again.stderr
    assert "mean of labels" in again.stdout


def test_what_cannot_be_evaluated_is_named_with_the_remedy(compared, three_labels, tmp_path):
    work, _, _ = compared
    unknown, _ = evaluate(work, "earmark/99", "--data", three_labels)
    assert unknown.returncode == 2
    assert "no version or alias '99'" in unknown.stderr
    clip = next((three_labels / "audio").iterdir())
    (tmp_path / "plain").mkdir()
    shutil.copy(clip, tmp_path / "plain")
    unlabelled, _ = evaluate(work, "earmark", "--data", tmp_path / "plain")
    assert unlabelled.returncode == 2
    assert "has no label: put the clips in one folder a label" in unlabelled.stderr
