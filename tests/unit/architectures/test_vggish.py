"""VGGish: its exact size, the released layout, and what trains from it."""

import pytest
import torch

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
