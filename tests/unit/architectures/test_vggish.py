"""VGGish: its exact size, the released layout, and what trains from it."""

import pytest
import torch
import torch.nn.functional as F

from earmark.architectures import count, create
from earmark.config import ARCHITECTURES, compare_experiment, make_config


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return create("vggish", 0).eval()


def test_size_without_output_is_that_of_the_release():
    counts = count("vggish", 0)
    assert (counts.weights, counts.multiplies, counts.parameters) == (72_131_136, 863_895_552, 72_141_184)


def test_size_with_labels_adds_the_output_alone():
    counts = count("vggish", 527)
    assert (counts.weights, counts.parameters) == (72_131_136 + 128 * 527, 72_141_184 + 129 * 527)


def test_maps_halve_after_each_of_four_blocks_and_end_at_512_by_6_by_4():
    shapes = [layer.output for layer in count("vggish", 10).layers]
    assert shapes == [
        *((64, 96, 64), (128, 48, 32), (256, 24, 16), (256, 24, 16), (512, 12, 8), (512, 12, 8)),
        *((4096,), (4096,), (128,), (10,)),
    ]


def test_initial_weights_are_normal_of_a_hundredth_cut_at_two_deviations(network):
    for name, parameter in network.named_parameters():
        if name.startswith("output."):
            continue
        if parameter.dim() == 1:
            assert parameter.abs().max() == 0, name
        else:
            assert parameter.abs().max() <= 0.02, name
            # a standard normal cut at ±2 has a deviation of 0.880
            assert parameter.std().item() == pytest.approx(0.0088, rel=0.1), name


def test_the_embedding_stays_128_values_at_any_width_and_stages_are_named():
    narrow = create("vggish", 3, 0.125, dropout=0.5)
    assert narrow.embedding_size == 128
    assert list(narrow.stages()) == ["block1", "block2", "block3", "block4", "dense", "bottleneck"]
    assert create("vggish", 3, 0.125, bottleneck=64).embedding_size == 64


def test_it_is_compared_only_where_it_is_named():
    config = make_config("quick")
    assert [variant.name for variant in compare_experiment(config).variants] == list(ARCHITECTURES)
    [variant] = compare_experiment(config, ["vggish"]).variants
    assert variant.patch["architecture"] == {"name": "vggish"}


def test_a_narrow_one_at_the_rate_of_quick_learns_to_tell_bands_apart():
    torch.manual_seed(0)
    network = create("vggish", 3, 0.25)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-4)
    drawn = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(90):
        y_B = torch.randint(0, 3, (12,), generator=drawn)
        x_BTF = torch.randn(12, 96, 64, generator=drawn) - 3
        for x_TF, y in zip(x_BTF, y_B.tolist(), strict=True):
            x_TF[:, 20 * y : 20 * y + 8] += 2
        loss = F.cross_entropy(network(x_BTF), y_B)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] > 1.05
    assert max(losses[-10:]) < 0.1
