"""Calibration: known temperatures found again, probabilities that stay probabilities, nothing fitted for nothing."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit, softmax
from sklearn.linear_model import LogisticRegression

from earmark.errors import EarmarkError
from earmark.metrics import Calibration, calibrate
from earmark.metrics.calibration import LEAST_GROUPS, rescale
from earmark.metrics.scaling import ENOUGH, fit_platt, fit_temperature


def softmax_clips(n, c, temperature, seed=0):
    """Clips whose truth is drawn from probabilities, and scores that are these at another temperature."""
    draw = np.random.default_rng(seed)
    logits_NC = draw.normal(0, 2, (n, c))
    true_N = (logits_NC + draw.gumbel(size=(n, c))).argmax(axis=1)
    return np.eye(c)[true_N], softmax(logits_NC * temperature, axis=1)


def sigmoid_clips(n, slope_C, offset_C, seed=0):
    """The same for labels that are independent: the truth's log-odds are slope · log-odds + offset."""
    draw = np.random.default_rng(seed)
    logits_NC = draw.normal(-1, 2, (n, len(slope_C)))
    truth_NC = draw.random(logits_NC.shape) < expit(np.array(slope_C) * logits_NC + np.array(offset_C))
    return truth_NC.astype(float), expit(logits_NC)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_a_known_temperature_is_found_again(temperature):
    targets, scores = softmax_clips(20_000, 5, temperature)
    slope = fit_temperature(targets == 1, scores, "softmax")
    assert slope == pytest.approx(1 / temperature, rel=0.05)
    targets, scores = sigmoid_clips(20_000, [temperature] * 3, [0.0] * 3)
    assert fit_temperature(targets == 1, scores, "sigmoid") == pytest.approx(temperature, rel=0.05)


def test_the_temperature_is_the_one_of_greatest_likelihood():
    targets, scores = softmax_clips(3000, 4, 2.5, seed=3)

    def loss(x):
        return -(targets * log_softmax(np.log(scores) * x[0], axis=1)).sum(axis=1).mean()

    wanted = minimize(loss, [1.0], method="Nelder-Mead").x[0]
    assert fit_temperature(targets == 1, scores, "softmax") == pytest.approx(wanted, rel=0.01)


def test_platt_agrees_with_an_independent_logistic_regression():
    targets, scores = sigmoid_clips(5000, [0.5, 2.0], [-1.0, 0.7])
    slope_C, offset_C = fit_platt(targets == 1, scores, np.ones(2))
    for c in range(2):
        found = LogisticRegression(C=1e9, tol=1e-8).fit(logit(scores[:, c : c + 1]), targets[:, c])
        assert slope_C[c] == pytest.approx(found.coef_[0, 0], rel=0.01)
        assert offset_C[c] == pytest.approx(found.intercept_[0], abs=0.01)


def test_a_class_with_few_positives_keeps_the_common_temperature():
    targets, scores = sigmoid_clips(500, [1.0, 1.0], [0.0, 0.0])
    targets[np.flatnonzero(targets[:, 1])[ENOUGH - 1 :], 1] = 0
    slope_C, offset_C = fit_platt(targets == 1, scores, np.array([1.3, 1.3]))
    assert slope_C[0] != 1.3
    assert (slope_C[1], offset_C[1]) == (1.3, 0.0)


def test_auto_takes_the_simplest_that_is_not_beaten():
    assert calibrate(*softmax_clips(2000, 4, 1.0), "softmax").calibration.method == "none"
    assert calibrate(*softmax_clips(2000, 4, 3.0), "softmax").calibration.method == "temperature"
    assert calibrate(*sigmoid_clips(2000, [1.0] * 3, [0.0] * 3), "sigmoid").calibration.method == "none"
    assert calibrate(*sigmoid_clips(2000, [0.4] * 3, [0.0] * 3), "sigmoid").calibration.method == "temperature"
    moved = calibrate(*sigmoid_clips(2000, [0.7, 1.4, 1.0], [-2.0, 1.0, 2.0]), "sigmoid").calibration
    assert moved.method == "platt"
    assert moved.log_losses["platt"] < moved.log_losses["temperature"] <= moved.log_losses["none"]


def test_few_groups_fit_nothing():
    targets, scores = softmax_clips(400, 3, 4.0)
    groups = [i % (LEAST_GROUPS - 1) for i in range(400)]
    few = calibrate(targets, scores, "softmax", groups=groups)
    assert few.calibration.method == "none"
    assert few.calibration.apply(scores) is scores
    np.testing.assert_array_equal(few.crossfitted_NC, scores)


def test_scores_that_are_always_right_do_not_become_certainties():
    targets = np.eye(4)[np.arange(40) % 4]
    scores = targets * 0.6 + 0.1
    sure = calibrate(targets, scores, "softmax").calibration.apply(scores)
    assert 0.7 < sure.max() < 0.99


def test_no_clips_at_all():
    nothing = calibrate(np.zeros((0, 3)), np.zeros((0, 3)), "sigmoid").calibration
    assert nothing.method == "none"
    assert nothing.thresholds_C.tolist() == [0.5] * 3
    assert {each.reason for each in nothing.thresholds} == {"default"}


def test_crossfitted_scores_come_from_fits_that_did_not_see_the_group():
    targets, scores = sigmoid_clips(300, [0.5, 0.5], [0.0, 0.0])
    groups = [i // 3 for i in range(300)]
    _, crossfitted = calibrate(targets, scores, "sigmoid", groups=groups, method="temperature")
    ratio_NC = logit(crossfitted) / logit(scores)
    assert len(np.unique(np.round(ratio_NC, 6))) == 5
    assert (np.abs(ratio_NC.reshape(100, -1) - ratio_NC.reshape(100, -1)[:, :1]) < 1e-9).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_clips_changes_nothing(seed):
    targets, scores = sigmoid_clips(120, [0.6, 1.5], [0.5, -1.0], seed)
    place = np.random.default_rng(seed).permutation(120)
    groups = np.arange(120) // 2
    one = calibrate(targets, scores, "sigmoid", groups=groups.tolist())
    other = calibrate(targets[place], scores[place], "sigmoid", groups=groups[place].tolist())
    assert one.calibration.method == other.calibration.method
    np.testing.assert_allclose(one.calibration.slopes, other.calibration.slopes, rtol=1e-4)
    np.testing.assert_allclose(one.calibration.thresholds_C, other.calibration.thresholds_C, rtol=1e-3)


scores_of_clips = st.lists(
    st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3).filter(lambda row: sum(row) > 0),
    min_size=2,
    max_size=12,
)
positive = st.floats(0.05, 20)


@settings(max_examples=100, deadline=None)
@given(scores_of_clips, st.tuples(*[positive] * 3), st.tuples(*[st.floats(-5, 5)] * 3))
def test_sigmoids_stay_probabilities_in_the_same_order_for_each_class(rows, slopes, offsets):
    scores = np.array(rows, np.float32)
    found = Calibration("sigmoid", "platt", slopes, offsets, ()).apply(scores)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
    for c in range(3):
        order = np.argsort(scores[:, c], kind="stable")
        assert (np.diff(found[order, c]) >= 0).all()


@settings(max_examples=100, deadline=None)
@given(scores_of_clips, positive)
def test_softmaxes_still_sum_to_one_with_the_labels_in_the_same_order(rows, slope):
    scores = np.array(rows)
    scores /= scores.sum(axis=1, keepdims=True)
    found = Calibration("softmax", "temperature", (slope,) * 3, (0.0,) * 3, ()).apply(scores)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert ((found >= 0) & (found <= 1)).all()
    for row, said in zip(scores, found, strict=True):
        assert (np.diff(said[np.argsort(row, kind="stable")]) >= -1e-12).all()


@settings(max_examples=50, deadline=None)
@given(scores_of_clips, st.sampled_from(["sigmoid", "softmax"]))
def test_temperature_one_changes_nothing(rows, output):
    scores = np.array(rows) * 0.98 + 0.01
    scores = scores / scores.sum(axis=1, keepdims=True) if output == "softmax" else scores
    np.testing.assert_allclose(rescale(scores, np.ones(3), np.zeros(3), output), scores, atol=1e-9)


def test_one_clip_is_calibrated_as_in_a_table():
    targets, scores = sigmoid_clips(500, [0.5, 0.5], [0.0, 0.0])
    calibration = calibrate(targets, scores, "sigmoid").calibration
    np.testing.assert_array_equal(calibration.apply(scores[7]), calibration.apply(scores)[7])


@pytest.mark.parametrize("rule", ["f1", "precision"])
def test_json_and_back(rule):
    calibration = calibrate(
        *sigmoid_clips(400, [0.4, 2.0], [1.0, 0.0]), "sigmoid", rule=rule, precision=0.8
    ).calibration
    again = Calibration.from_json(json.loads(json.dumps(calibration.to_json(), allow_nan=False)))
    assert again == calibration
    with pytest.raises(EarmarkError, match="schema 2"):
        Calibration.from_json({**calibration.to_json(), "schema_version": 2})


def test_with_a_softmax_clips_of_several_labels_are_not_fitted_on():
    targets, scores = softmax_clips(300, 3, 3.0)
    several, some = np.vstack([targets, np.ones((50, 3))]), np.vstack([scores, np.full((50, 3), 1 / 3)])
    assert (
        calibrate(several, some, "softmax").calibration.slopes
        == calibrate(targets, scores, "softmax").calibration.slopes
    )
    assert calibrate(several, some, "softmax").calibration.clips == 300


def test_platt_is_for_sigmoids_and_a_softmax_takes_the_temperature():
    assert calibrate(*softmax_clips(200, 3, 1.0), "softmax", method="platt").calibration.method == "temperature"
    assert calibrate(*sigmoid_clips(200, [1.0], [0.0]), "sigmoid", method="none").calibration.method == "none"
