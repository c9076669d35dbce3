"""The loss against its formula, what it needs, and what chance costs."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from earmark.architectures import scores_of
from earmark.config import TrainConfig
from earmark.errors import UserError
from earmark.training.objective import Objective

SHARES = np.array([0.5, 0.3, 0.2])


def objective(loss="auto", single_label=True, smoothing=0.0, share_C=SHARES):
    return Objective(TrainConfig(loss=loss, label_smoothing=smoothing), single_label, share_C)


def test_auto_takes_softmax_only_where_every_clip_has_one_label():
    assert objective("auto", single_label=True).output == "softmax"
    assert objective("auto", single_label=False).output == "sigmoid"
    assert objective("sigmoid", single_label=True).output == "sigmoid"


def test_softmax_is_refused_where_clips_have_several_labels():
    with pytest.raises(UserError, match=r"train\.loss is softmax.*set train\.loss to sigmoid"):
        objective("softmax", single_label=False)


@given(st.integers(0, 10**6), st.floats(0, 0.5))
def test_losses_are_the_cross_entropies_of_smoothed_targets(seed, smoothing):
    random = np.random.default_rng(seed)
    logits_BC, y_BC = random.normal(size=(5, 3)), random.dirichlet(np.ones(3), 5)
    p_BC = 1 / (1 + np.exp(-logits_BC))
    t_BC = y_BC * (1 - smoothing) + 0.5 * smoothing
    by_hand = -(t_BC * np.log(p_BC) + (1 - t_BC) * np.log(1 - p_BC)).mean()
    tensors = torch.from_numpy(logits_BC).float(), torch.from_numpy(y_BC).float()
    assert float(objective("sigmoid", smoothing=smoothing).loss(*tensors)) == pytest.approx(by_hand, rel=1e-4)
    q_BC = np.exp(logits_BC) / np.exp(logits_BC).sum(1, keepdims=True)
    t_BC = y_BC * (1 - smoothing) + smoothing / 3
    by_hand = -(t_BC * np.log(q_BC)).sum(1).mean()
    assert float(objective("softmax", smoothing=smoothing).loss(*tensors)) == pytest.approx(by_hand, rel=1e-4)


@pytest.mark.parametrize("loss", ["sigmoid", "softmax"])
def test_prior_biases_say_the_shares_and_cost_what_chance_costs(loss):
    made = objective(loss)
    logits_BC = made.prior_logits().float().expand(10, 3)
    torch.testing.assert_close(scores_of(logits_BC, loss)[0], torch.tensor(SHARES).float(), atol=1e-6, rtol=0)
    y_BC = torch.eye(3)[[0] * 5 + [1] * 3 + [2] * 2]
    assert float(made.loss(logits_BC, y_BC)) == pytest.approx(made.chance(), rel=1e-5)


def test_labels_without_or_with_all_patches_keep_everything_finite():
    made = objective("sigmoid", single_label=False, share_C=np.array([0.0, 1.0]))
    assert made.prior_logits().isfinite().all()
    assert math.isfinite(made.chance())


@pytest.mark.parametrize("loss", ["sigmoid", "softmax"])
@pytest.mark.parametrize("classes", [3, 3087])
def test_smoothed_targets_leave_a_loss_that_chance_stays_above(loss, classes):
    made = objective(loss, smoothing=0.1, share_C=np.full(classes, 1 / classes))
    y_BC = torch.eye(2, classes)
    known_BC = made.smooth(y_BC)
    best_BC = known_BC.log() if loss == "softmax" else known_BC.logit()
    assert float(made.loss(best_BC, y_BC)) == pytest.approx(made.least(), rel=1e-4)
    assert made.least() < made.chance()
    assert objective(loss).least() == 0.0
