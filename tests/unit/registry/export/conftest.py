import pytest
import torch

from earmark.architectures import create
from earmark.config import EvaluateConfig, FeatureSpec
from earmark.evaluation import Model


@pytest.fixture
def model():
    """Makes a model with fresh weights, as it would come out of a package."""

    def make(name="alexnet", width=0.02, *, output="sigmoid", features=None, evaluate=None, calibration=None):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = create(name, 3, width)
            # as after training: outputs that tell sounds apart
            torch.nn.init.normal_(network.output.weight, std=0.3)
        return Model(
            network=network.to(memory_format=torch.channels_last).eval(),
            labels=("dog", "rain", "siren"),
            features=FeatureSpec(**(features or {})),
            evaluate=EvaluateConfig(**(evaluate or {})),
            document={},
            output=output,
            calibration=calibration,
        )

    return make
