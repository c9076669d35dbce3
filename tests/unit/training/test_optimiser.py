"""Optimiser: decay where it belongs, moments that survive a round trip; the average of weights."""

import pytest
import torch
from torch import nn

from earmark.architectures import create
from earmark.config import TrainConfig
from earmark.training.average import Average
from earmark.training.optimiser import Optimiser


def small_network():
    torch.manual_seed(0)
    return create("resnet50", 4, width=0.1).to(memory_format=torch.channels_last)


def gradients(network, step):
    x_BTF = torch.randn(2, 96, 64, generator=torch.Generator().manual_seed(step))
    network(x_BTF).square().mean().backward()


@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_it_steps_as_torchs_own_with_decay_on_kernels_alone(kind):
    config = TrainConfig(optimiser=kind, weight_decay=0.1, learning_rate=0.01, adam_epsilon=1e-7)
    network, reference = small_network(), small_network()
    norms = [m.weight for m in reference.modules() if isinstance(m, nn.BatchNorm2d)]
    biases = [p for name, p in reference.named_parameters() if name.endswith("bias")]
    spared = {id(p) for p in norms + biases}
    decay = 0.1 if kind == "adamw" else 0.0
    groups = [
        {"params": [p for p in reference.parameters() if id(p) not in spared], "weight_decay": decay},
        {"params": norms + biases, "weight_decay": 0.0},
    ]
    torchs = (torch.optim.AdamW if kind == "adamw" else torch.optim.Adam)(groups, eps=1e-7, fused=True)
    optimiser = Optimiser(network, config)
    for step in range(4):
        gradients(network, step)
        optimiser.step(0.01 * (step + 1))
        gradients(reference, step)
        for group in torchs.param_groups:
            group["lr"] = 0.01 * (step + 1)
        torchs.step()
        torchs.zero_grad()
    for mine, theirs in zip(network.parameters(), reference.parameters(), strict=True):
        assert mine.grad is None
        assert torch.equal(mine, theirs)


def test_state_put_back_goes_on_bit_for_bit():
    config = TrainConfig(optimiser="adamw", weight_decay=0.1)
    network, resumed = small_network(), small_network()
    optimiser, again = Optimiser(network, config), Optimiser(resumed, config)
    for step in range(2):
        gradients(network, step)
        optimiser.step(0.01)
    resumed.load_state_dict({name: tensor.clone().contiguous() for name, tensor in network.state_dict().items()})
    again.load({name: tensor.clone().contiguous() for name, tensor in optimiser.state().items()})
    for each, following in ((network, optimiser), (resumed, again)):
        gradients(each, 2)
        following.step(0.01)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_the_average_follows_weights_and_batch_norm_statistics():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = Average(network, share=0.1)
    expected = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for step in range(100):
        with torch.no_grad():
            for tensor in network.state_dict().values():
                tensor += 1
        average.update(step, steps=100)
        decay = min(0.9, (1 + step) / (10 + step))
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                expected[name] = decay * expected[name] + (1 - decay) * tensor
            else:
                expected[name] = tensor.clone()
    for name, tensor in average.network.state_dict().items():
        torch.testing.assert_close(tensor, expected[name])
    assert not average.network.training
    assert not any(p.requires_grad for p in average.network.parameters())
