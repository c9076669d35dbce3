"""A trained network with all that inference needs, and the one function that scores a clip."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from earmark.architectures import Network, create, scores_of
from earmark.config import ArchitectureConfig, EvaluateConfig, FeatureSpec
from earmark.errors import EarmarkError, UserError
from earmark.evaluation.windows import window_starts
from earmark.features import PATCH_FRAMES, dequantise
from earmark.metrics import Calibration
from earmark.store import Manifest, Store

SCHEMA_VERSION = 1
PATCHES_AT_ONCE = 64
"""On a CPU a quarter faster than 256, whose maps leave the cache; the scores are the same to the last bit."""


@dataclass(frozen=True)
class Model:
    """A network in evaluation mode, and how sound has to reach it. All of it comes from the checkpoint."""

    network: Network
    labels: tuple[str, ...]
    features: FeatureSpec
    evaluate: EvaluateConfig
    document: dict[str, Any]
    """The whole of ``model.json``."""
    output: str = "sigmoid"
    """``sigmoid`` or ``softmax``: what makes its logits scores."""
    calibration: Calibration | None = None
    """What makes its clip scores probabilities; None for a checkpoint, which has none yet, and for older models."""

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        return next(self.network.parameters()).device


class ClipScores(NamedTuple):
    """What :func:`score_clip` returns."""

    scores_C: NDArray[np.float32]
    """Score of each label, 0 to 1."""
    patch_scores_PC: NDArray[np.float32]
    """Scores of each patch that was used."""
    embedding_E: NDArray[np.float32]
    """Mean of the patches' embeddings."""


def load_model(store: Store, checkpoint: Manifest) -> Model:
    """The trained network of a checkpoint, on the GPU where there is one.

    Raises:
        EarmarkError: ``model.json`` has another schema.
        CorruptObject: weights or description are damaged.
    """
    document = _known(json.loads(checkpoint.files["model.json"].read(store)))
    return model_of(checkpoint.files["weights.safetensors"].read(store), document)


def model_of(weights: bytes, document: dict[str, Any]) -> Model:
    """The network of safetensors and ``model.json``, of a checkpoint or a package, on the GPU where there is one.

    Raises:
        EarmarkError: ``model.json`` has another schema.
        UserError: it is a head alone, whose embeddings came without their network.
    """
    from safetensors.torch import load

    if not document.get("trunk", True):
        raise UserError(
            "this model is a head on embeddings that came without their network, so it can neither hear sound nor be "
            "registered: fit the head on the embeddings of a registered model"
        )
    wanted = ArchitectureConfig.model_validate(_known(document)["architecture"])
    # No weights are drawn to be replaced at once: for VGGish that alone would take 6 s.
    with torch.device("meta"):
        network = create(
            wanted.name,
            len(document["labels"]),
            wanted.width,
            wanted.bottleneck,
            wanted.dropout,
            wanted.head,
            **wanted.options,
        )
    network.load_state_dict(load(weights), assign=True)
    network = network.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    return Model(
        network=network.to(memory_format=torch.channels_last).eval(),
        labels=tuple(document["labels"]),
        features=FeatureSpec.model_validate(document["features"]),
        evaluate=EvaluateConfig.model_validate(document["evaluate"]),
        document=document,
        output=document["output"],
        calibration=Calibration.from_json(document["calibration"]) if document.get("calibration") else None,
    )


def _known(document: dict[str, Any]) -> dict[str, Any]:
    if document["schema_version"] != SCHEMA_VERSION:
        raise EarmarkError(
            f"model.json of schema {document['schema_version']} where this version reads {SCHEMA_VERSION}: "
            "train the network again with this version"
        )
    return document


def score_clip(model: Model, frames_TF: NDArray[Any]) -> ClipScores:
    """Scores of a clip from its stored frames (T, 64): the mean over its patches of the network's scores.

    The only way from frames to scores, for evaluation and tagging alike: patches ``hop_seconds`` apart, the last one
    ending with the clip, those with too much digital silence left out unless all are. A clip is a batch of its own, so
    that its numbers do not depend on its neighbours.

    Raises:
        EarmarkError: the clip is shorter than a patch.
    """
    starts_P = window_starts(frames_TF, model.features, model.evaluate.hop_seconds, model.evaluate.max_silent_share)
    patch_scores_PC, embeddings_PE = score_windows(model, frames_TF, starts_P)
    return ClipScores(patch_scores_PC.mean(axis=0), patch_scores_PC, embeddings_PE.mean(axis=0))


@torch.inference_mode()
def score_windows(
    model: Model, frames_TF: NDArray[Any], starts_P: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scores (P, C) and embeddings (P, E) of the patches that start at those frames, in float32."""
    scores, embeddings = [], []
    for first in range(0, len(starts_P), PATCHES_AT_ONCE):
        rows_PT = starts_P[first : first + PATCHES_AT_ONCE, None] + np.arange(PATCH_FRAMES)
        x_PTF = torch.from_numpy(dequantise(frames_TF[rows_PT], model.features)).to(model.device)
        e_PE = model.network.features(x_PTF)
        scores.append(scores_of(model.network.head(e_PE), model.output).cpu().numpy())
        embeddings.append(e_PE.float().cpu().numpy())
    return np.concatenate(scores), np.concatenate(embeddings)
