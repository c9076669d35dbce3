"""Folding changes the speed, not the scores."""

import pytest
import torch

from earmark.architectures import create
from earmark.tagging import fold_norms


def norms(network):
    return sum(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize("name", ["fully_connected", "alexnet", "vgg", "inception_v3", "resnet50"])
def test_a_folded_network_gives_the_same_scores(name):
    torch.manual_seed(0)
    network = create(name, 5, 0.1, None, 0.0)
    x_PTF = torch.randn(16, 96, 64)
    had = norms(network)
    network(x_PTF)  # statistics that are not those of a fresh norm
    network.eval()
    with torch.inference_mode():
        before_PC = network(x_PTF).sigmoid()
        fold_norms(network)
        after_PC = network(x_PTF).sigmoid()
    assert norms(network) < had or not had
    assert torch.allclose(before_PC, after_PC, atol=1e-5, rtol=0)
