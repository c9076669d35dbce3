"""Optimiser: decay where it belongs, moments that survive a round trip; the average of weights."""

import pytest
import torch
from torch import nn

from earmark.architectures import create
from earmark.config import TrainConfig
from earmark.training.average import Average
from earmark.training.optimiser import load_moments, make_optimiser, moments


def small_network():
    torch.manual_seed(0)
    return create("resnet50", 4, width=0.1).to(memory_format=torch.channels_last)


def steps(network, optimiser, count):
    for step in range(count):
        x_BTF = torch.randn(2, 96, 64, generator=torch.Generator().manual_seed(step))
        network(x_BTF).square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()


def test_decay_spares_norms_and_biases():
    network = small_network()
    optimiser = make_optimiser(network, TrainConfig(optimiser="adamw", weight_decay=0.1))
    decayed = {id(p) for g in optimiser.param_groups if g["weight_decay"] > 0 for p in g["params"]}
    spared = {id(p) for g in optimiser.param_groups if g["weight_decay"] == 0 for p in g["params"]}
    for module in network.modules():
        for name, weight in module.named_parameters(recurse=False):
            is_kernel = name == "weight" and not isinstance(module, nn.BatchNorm2d)
            assert (id(weight) in decayed) is is_kernel
            assert (id(weight) in spared) is not is_kernel


def test_adam_never_decays():
    optimiser = make_optimiser(small_network(), TrainConfig(optimiser="adam", weight_decay=0.1))
    assert {group["weight_decay"] for group in optimiser.param_groups} == {0}


@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_moments_put_back_go_on_bit_for_bit(kind):
    config = TrainConfig(optimiser=kind, weight_decay=0.1, learning_rate=0.01)
    network = small_network()
    optimiser = make_optimiser(network, config)
    steps(network, optimiser, 2)
    resumed = small_network()
    resumed.load_state_dict({name: tensor.clone().contiguous() for name, tensor in network.state_dict().items()})
    again = make_optimiser(resumed, config)
    load_moments(resumed, again, {name: t.clone().contiguous() for name, t in moments(network, optimiser).items()})
    steps(network, optimiser, 2)
    steps(resumed, again, 2)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_there_are_no_moments_before_the_first_step():
    network = small_network()
    assert moments(network, make_optimiser(network, TrainConfig())) == {}


def test_the_average_follows_weights_and_batch_norm_statistics():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = Average(network, decay=0.9)
    expected = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for step in range(100):
        with torch.no_grad():
            for tensor in network.state_dict().values():
                tensor += 1
        average.update(step)
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
