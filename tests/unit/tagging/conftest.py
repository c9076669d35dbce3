"""A small network of random weights: what is tested is the way to its scores, not the scores."""

import numpy as np
import pytest
import torch

from earmark.architectures import create
from earmark.config import EvaluateConfig, FeatureSpec
from earmark.evaluation import Model


def _model(hop_seconds=0.24, max_silent_share=0.8, tail="pad", labels=("dog", "rain", "siren")):
    torch.manual_seed(3)
    network = create("alexnet", len(labels), 0.05, None, 0.0)
    torch.nn.init.normal_(network.output.weight, std=0.5)
    evaluate = EvaluateConfig(hop_seconds=hop_seconds, max_silent_share=max_silent_share)
    return Model(network.eval(), tuple(labels), FeatureSpec(tail=tail), evaluate, {})


@pytest.fixture(scope="session")
def model_of():
    return _model


@pytest.fixture(scope="session")
def model():
    return _model()


@pytest.fixture(scope="session")
def long_frames(examples):
    """45 s of real sound with stretches of digital silence, as stored frames."""
    from earmark.features import frames_of

    spec = FeatureSpec()
    clips = [frames_of(path.read_bytes(), spec)[0] for path in sorted((examples / "audio").glob("*.ogg"))[::15]]
    pieces = [piece for clip in clips for piece in (clip[:480], np.zeros((150, 64), np.uint8))]
    return np.concatenate(pieces)
