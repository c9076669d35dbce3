"""The step evaluate_model: its tables against scikit-learn, its timelines against score_windows."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score

from earmark.config import EvaluateConfig
from earmark.errors import UserError
from earmark.evaluation import evaluate_model, load_model, model_of
from earmark.evaluation.model import score_windows
from earmark.evaluation.tables import split_tables
from earmark.metrics import Calibration, calibrate, reliability
from earmark.store.tables import read_table

from .conftest import QUIET


def scores_of(chain, manifest, split):
    table = read_table(manifest.files[f"scores-{split}.parquet"].read(chain.store))
    return np.array(table["scores"].to_pylist()), table["targets"].to_pylist()


@pytest.mark.parametrize("split", ["validation", "test"])
def test_metrics_are_those_of_the_stored_scores(chain, metrics, document, split):
    scores, targets = scores_of(chain, metrics["alexnet"], split)
    truth = np.array([t[0] for t in targets])
    hot = np.eye(3)[truth]
    table = document(metrics["alexnet"], "metrics.json")[split]
    aps = [average_precision_score(hot[:, c], scores[:, c]) for c in range(3)]
    aucs = [roc_auc_score(hot[:, c], scores[:, c]) for c in range(3)]
    assert table["summary"]["map"] == pytest.approx(np.mean(aps), abs=1e-12)
    assert table["summary"]["auc"] == pytest.approx(np.mean(aucs), abs=1e-12)
    assert table["summary"]["accuracy"] == pytest.approx((scores.argmax(1) == truth).mean(), abs=1e-12)
    assert [row["ap"] for row in table["classes"]] == pytest.approx(aps, abs=1e-12)
    assert table["confusion"]["counts"] == confusion_matrix(truth, scores.argmax(1), labels=range(3)).tolist()
    assert table["clips"] == len(scores)
    assert metrics["alexnet"].facts[split] == table["summary"]


def test_every_score_comes_with_an_interval_around_it(metrics):
    summary = metrics["alexnet"].facts["test"]
    for name in ("auc", "d_prime", "map", "accuracy"):
        assert summary[f"{name}_low"] <= summary[name] <= summary[f"{name}_high"]


def test_networks_on_the_same_clips_have_the_same_digest(chain, metrics):
    digests = {m.facts["digest"] for m in metrics.values()}
    assert digests == {chain.dataset.facts["evaluated"]["test"]}


def test_done_again_nothing_is_computed(chain, experiment, checkpoints, metrics):
    again = evaluate_model(
        chain.store, checkpoints["alexnet"], chain.dataset, chain.patches, experiment.variant("alexnet"), QUIET
    )
    assert again.reused
    assert again == metrics["alexnet"]


def test_a_network_for_other_labels_is_refused(chain, experiment, checkpoints):
    from .conftest import checkpoint_of

    other = replace(chain.dataset, facts={**chain.dataset.facts, "labels": ["a", "b", "c"]})
    chain_like = type(chain)(**{**vars(chain), "dataset": other})
    checkpoint = checkpoint_of(chain_like, experiment.variant("alexnet"), "stranger", seed=9)
    with pytest.raises(UserError, match="stranger was trained for 3 labels"):
        evaluate_model(chain.store, checkpoint, chain.dataset, chain.patches, experiment.variant("alexnet"), QUIET)


def test_timelines_are_the_outputs_of_the_windows_they_name(chain, checkpoints, metrics, document):
    model = load_model(chain.store, checkpoints["alexnet"])
    rows = document(metrics["alexnet"], "timelines.json")["clips"]
    clips = {clip.clip_id: clip for clip in chain.opened.clips("test")}
    assert {label for row in rows for label in row["labels"]} == {0, 1, 2}
    for row in rows:
        clip = clips[row["clip_id"]]
        frames = chain.opened.frames.clip(clip.shard, clip.first_row, clip.rows)
        starts = np.array([round((t - 0.48) * 100 + row["start_s"] * 100) for t in row["times_s"]])
        assert (np.diff(starts) == 10).all()
        scores, _ = score_windows(model, frames, starts)
        for output in row["outputs"]:
            np.testing.assert_allclose(output["scores"], scores[:, output["label"]], atol=6e-5)
        assert row["times_s"][-1] + 0.48 <= row["seconds"] + 1e-9


def test_a_label_without_a_positive_is_named_and_not_averaged():
    hot = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]], np.float32)
    scores = np.array([[0.9, 0.1, 0.8], [0.2, 0.3, 0.9], [0.3, 0.8, 0.9], [0.1, 0.9, 0.9]], np.float32)
    table = split_tables(hot, scores, "abcd", ["x", "y", "z"], True, EvaluateConfig(bootstrap_resamples=100), 0)
    assert table["without_positives"] == ["z"]
    assert table["classes"][2]["ap"] is None
    expected = np.mean([average_precision_score(hot[:, c], scores[:, c]) for c in (0, 1)])
    assert table["summary"]["map"] == pytest.approx(expected, abs=1e-12)


def test_a_perfect_score_has_no_finite_d_prime():
    hot = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]
    table = split_tables(hot, hot, "abcd", ["x", "y"], True, EvaluateConfig(bootstrap_resamples=100), 0)
    assert (table["summary"]["auc"], table["summary"]["d_prime"]) == (1.0, None)


def test_several_labels_a_clip_have_neither_accuracy_nor_confusion():
    hot = np.array([[1, 1], [0, 1], [1, 0], [0, 1]], np.float32)
    scores = np.array([[0.9, 0.8], [0.1, 0.7], [0.8, 0.2], [0.3, 0.9]], np.float32)
    table = split_tables(hot, scores, "abcd", ["x", "y"], False, EvaluateConfig(bootstrap_resamples=100), 0)
    assert table["confusion"] is None
    assert table["summary"]["accuracy"] is None
    assert table["summary"]["accuracy_low"] is None


def test_groups_widen_the_intervals():
    """Twenty copies of four clips tell no more than the four clips."""
    hot = np.tile(np.eye(2, dtype=np.float32)[[0, 0, 1, 1]], (20, 1))
    scores = np.tile(np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.6, 0.4]], np.float32), (20, 1))
    config = EvaluateConfig(bootstrap_resamples=200)

    def reach(groups):
        row = split_tables(hot, scores, groups, ["x", "y"], True, config, 0)["summary"]
        return row["accuracy_high"] - row["accuracy_low"]

    assert reach(["a", "b", "c", "d"] * 20) > 2 * reach([str(i) for i in range(80)])


def test_the_calibration_is_fitted_to_the_validation_clips_and_judged_on_the_test_clips(
    chain, metrics, document, checkpoints
):
    manifest = metrics["alexnet"]
    calibration = Calibration.from_json(document(manifest, "calibration.json"))
    found = document(manifest, "metrics.json")["calibration"]
    validation, targets = scores_of(chain, manifest, "validation")
    table = read_table(chain.dataset.files["dataset.parquet"].read(chain.store))
    group_of = dict(zip(table["clip_id"].to_pylist(), table["group"].to_pylist(), strict=True))
    groups = [group_of[clip.clip_id] for clip in chain.opened.clips("validation")]
    hot = np.eye(3)[[t[0] for t in targets]]
    # The scores are stored in float32, and so they must be fitted to.
    wanted = calibrate(hot, validation.astype(np.float32), "sigmoid", groups=groups)
    assert calibration == wanted.calibration
    test, targets = scores_of(chain, manifest, "test")
    hot = np.eye(3)[[t[0] for t in targets]]
    after = reliability(hot, calibration.apply(test.astype(np.float32)), "sigmoid")
    assert found["test"]["after"]["ece"] == pytest.approx(after.ece)
    assert found["validation"]["after"]["ece"] == pytest.approx(
        reliability(
            np.eye(3)[[t[0] for t in scores_of(chain, manifest, "validation")[1]]], wanted.crossfitted_NC, "sigmoid"
        ).ece
    )
    assert manifest.facts["calibration"]["test"]["before"] == found["test"]["before"]["ece"]


def test_a_model_carries_the_calibration_of_its_document(chain, checkpoints, metrics, document):
    files = checkpoints["alexnet"].files
    plain = document(checkpoints["alexnet"], "model.json")
    weights = files["weights.safetensors"].read(chain.store)
    assert model_of(weights, plain).calibration is None
    fitted = document(metrics["alexnet"], "calibration.json")
    assert model_of(weights, {**plain, "calibration": fitted}).calibration == Calibration.from_json(fitted)
