"""A linear head by logistic regression: how strongly it is regularised is found on the validation part."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from earmark.architectures.layers import Output
from earmark.progress import Progress
from earmark.training.objective import LOWEST_SHARE
from earmark.transfer.material import Fitted, Log, Material, better

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Values of C that are tried, of which larger ones regularise less."""
WITHOUT_VALIDATION = 1e-2
MOST_VALUES = 2**23
"""Windows × E that are fitted on: of more, as many windows as that, spread over all by the seed."""
MOST_ITERATIONS = 100


def fit_linear(material: Material, log: Log, progress: Progress) -> Fitted:
    """Fit sigmoids one label at a time, or one softmax, on standardised values; the scaling is folded into the weights.

    A label that all or none of the training clips carry gets its share as its score, whatever the sound.
    """
    began = time.perf_counter()
    mean_E, std_E = material.spread()
    chosen_P = _chosen(material)
    x_PE = (material.rectified(material.train.e_PE[chosen_P]) - mean_E) / std_E
    y_PC = material.train_y_NC[material.train.clip_P[chosen_P]]
    strengths = STRENGTHS if len(material.validation_y_NC) else (WITHOUT_VALIDATION,)
    layer = material.network.output
    assert isinstance(layer, Output)
    curve: list[dict[str, Any]] = []
    kept, selected, iterations = _copy(layer), None, 0
    fit = _softmax if material.output == "softmax" else _sigmoids
    weights_CE, biases_C = np.zeros(layer.weight.shape), np.zeros(len(layer.bias))
    for number, strength in enumerate(strengths, start=1):
        weights_CE, biases_C, taken = fit(x_PE, y_PC, strength, weights_CE, biases_C)
        iterations += taken
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weights_CE / std_E))
            layer.bias.copy_(torch.from_numpy(biases_C - weights_CE @ (mean_E / std_E)))
        figures = material.validate(material.network)
        if figures is None:
            kept = _copy(layer)
            continue
        point = {"step": number, **figures}
        curve.append({"c": strength, **point})
        log("validation", point)
        progress.update(number, len(strengths), "fits", map=figures["map"] or 0.0)
        # The stronger of two that are alike.
        if selected is None or not better(selected, point):
            kept, selected = _copy(layer), point
    layer.load_state_dict(kept)
    seen = iterations * len(x_PE)
    return Fitted(
        material.network,
        len(strengths),
        time.perf_counter() - began,
        seen,
        {"train": [], "validation": curve},
        selected,
    )


def _chosen(material: Material) -> NDArray[np.int64]:
    """Which windows are fitted on, ascending."""
    count, size = material.train.e_PE.shape
    most = max(1, MOST_VALUES // size)
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(material.config.seed).permutation(count)[:most])


def _sigmoids(
    x_PE: NDArray[np.float32],
    y_PC: NDArray[np.float32],
    strength: float,
    weights_CE: NDArray[np.float64],
    biases_C: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Weights (C, E) and biases (C,) of one regression a label, from those of the last strength; and iterations."""
    fitted_CE, fitted_C = np.zeros_like(weights_CE), np.zeros_like(biases_C)
    taken = 0
    for label, y_P in enumerate(y_PC.T):
        share = float(np.clip(y_P.mean(), LOWEST_SHARE, 1 - LOWEST_SHARE))
        if y_P.min() == y_P.max():
            fitted_C[label] = np.log(share / (1 - share))
            continue
        model = _regression(strength, weights_CE[label : label + 1], biases_C[label : label + 1])
        _fit(model, x_PE, y_P > 0)
        fitted_CE[label], fitted_C[label] = model.coef_[0], model.intercept_[0]
        taken += int(model.n_iter_.max())
    return fitted_CE, fitted_C, taken


def _softmax(
    x_PE: NDArray[np.float32],
    y_PC: NDArray[np.float32],
    strength: float,
    weights_CE: NDArray[np.float64],
    biases_C: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """As :func:`_sigmoids`, of one regression over all labels."""
    fitted_CE, fitted_C = np.zeros_like(weights_CE), np.full_like(biases_C, np.log(LOWEST_SHARE))
    label_P = y_PC.argmax(axis=1)
    known = np.unique(label_P)
    if len(known) == 1:
        fitted_C[known] = 0.0
        return fitted_CE, fitted_C, 0
    # Two labels are one sigmoid there: half of it for one, half against the other.
    rows, scale = (known, 1) if len(known) > 2 else (known[1:], 2)
    model = _regression(strength, weights_CE[rows] * scale, biases_C[rows] * scale)
    _fit(model, x_PE, label_P)
    if len(known) == 2:
        signs = np.array([[-0.5], [0.5]])
        fitted_CE[known], fitted_C[known] = signs * model.coef_, signs[:, 0] * model.intercept_
    else:
        fitted_CE[known], fitted_C[known] = model.coef_, model.intercept_
    return fitted_CE, fitted_C, int(model.n_iter_.max())


def _regression(strength: float, weights_CE: NDArray[np.float64], biases_C: NDArray[np.float64]) -> Any:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=MOST_ITERATIONS, warm_start=True)
    model.coef_, model.intercept_ = weights_CE.astype(np.float32), biases_C.astype(np.float32)
    return model


def _fit(model: Any, x_PE: NDArray[np.float32], y_P: NDArray[Any]) -> None:
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # What is left after so many iterations is far below what validation can tell apart.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x_PE, y_P)


def _copy(layer: Output) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in layer.state_dict().items()}
