"""Sizes of the networks: exact, and independent of the code that builds them."""

import subprocess
import sys

import pytest
import torch

from earmark.architectures import PAPER, count, create

FULL = {
    # name, options: weights, multiplies, all parameters at 3,087 labels
    ("fully_connected", ()): (11_231_000, 11_231_000, 11_237_087),
    ("fully_connected", (("context_frames", 20),)): (6_367_000, 6_367_000, 6_373_087),
    ("alexnet", ()): (37_338_464, 767_639_744, 37_352_495),
    ("alexnet", (("final_pool", "3x3"),)): (54_115_680, 784_416_960, 54_129_711),
    ("vgg", ()): (62_022_208, 2_423_713_792, 62_044_495),
    ("inception_v3", ()): (28_039_760, 5_437_980_672, 28_077_023),
    ("inception_v3", (("stem", "pool_first"),)): (28_039_760, 4_745_645_392, 28_077_023),
    ("resnet50", ()): (29_770_816, 1_856_403_456, 29_827_023),
    ("resnet50", (("version", "v1.5"),)): (29_770_816, 1_969_649_664, 29_827_023),
}
EMBEDDING = {"fully_connected": 1000, "alexnet": 4096, "vgg": 4096, "inception_v3": 2048, "resnet50": 2048}
MILLIONS = {
    # labels: weights, multiplies in millions, rounded as tabled
    10: ("8.15/8.15", "24.7/755", "49.4/2411", "21.7/5432", "23.5/1850"),
    50: ("8.19/8.19", "24.9/755", "49.6/2411", "21.8/5432", "23.6/1850"),
    400: ("8.54/8.54", "26.3/757", "51.0/2413", "22.5/5432", "24.3/1851"),
    527: ("8.67/8.67", "26.9/757", "51.5/2413", "22.8/5433", "24.5/1851"),
    3087: ("11.23/11.23", "37.3/768", "62.0/2424", "28.0/5438", "29.8/1856"),
}


@pytest.mark.parametrize(("name", "options"), FULL)
def test_sizes_at_3087_labels_are_exact(name, options):
    counts = count(name, 3087, **dict(options))
    assert (counts.weights, counts.multiplies, counts.parameters) == FULL[name, options]


@pytest.mark.parametrize("labels", MILLIONS)
@pytest.mark.parametrize("name", EMBEDDING)
def test_sizes_at_other_label_counts(name, labels):
    weights, multiplies, parameters = FULL[name, ()]
    fewer = (3087 - labels) * EMBEDDING[name]
    counts = count(name, labels)
    assert counts.weights == weights - fewer
    assert counts.multiplies == multiplies - fewer
    assert counts.parameters == parameters - fewer - (3087 - labels)
    tabled = MILLIONS[labels][list(EMBEDDING).index(name)]
    for printed, exact in zip(tabled.split("/"), (counts.weights, counts.multiplies), strict=True):
        decimals = len(printed.partition(".")[2])
        assert abs(float(printed) - exact / 1e6) <= 0.5001 * 10**-decimals


@pytest.mark.parametrize("labels", [527, 3087])
@pytest.mark.parametrize(("name", "options"), FULL)
def test_a_bottleneck_replaces_the_output_layer_by_two_smaller_ones(name, options, labels):
    size, change = EMBEDDING[name], 128
    plain = count(name, labels, **dict(options))
    small = count(name, labels, bottleneck=change, **dict(options))
    difference = size * change + change * labels - size * labels
    assert small.weights - plain.weights == difference
    assert small.multiplies - plain.multiplies == difference
    assert small.parameters - plain.parameters == difference + change


def test_resnet_with_bottleneck_and_many_labels():
    counts = count("resnet50", 3087, bottleneck=128)
    assert (counts.weights, counts.multiplies) == (24_105_920, 1_850_738_560)
    assert count("resnet50", 400, bottleneck=128).weights == 23_761_984
    assert count("resnet50", 30_871, bottleneck=128).weights == 27_662_272
    assert count("resnet50", 30_871).weights == 86_672_448


def test_fully_connected_by_hand():
    counts = count("fully_connected", 100, depth=5, units=504)
    assert counts.weights == 6144 * 504 + 4 * 504 * 504 + 504 * 100


def rows(name, **options):
    """(map or units, weights, multiplies) of each layer of the published table."""
    return [
        (layer.name, layer.output, layer.weights, layer.multiplies) for layer in count(name, 3087, **options).layers
    ]


def stages(name, **options):
    """Weights, multiplies and last map by the part of the trunk that a layer lies in."""
    found = {}
    for layer, output, weights, multiplies in rows(name, **options):
        part = layer.split(".")[1] if layer.startswith("trunk") else layer
        before = found.get(part, (0, 0, ()))
        found[part] = (before[0] + weights, before[1] + multiplies, output[1:])
    return found


def test_alexnet_layer_by_layer():
    assert [row[1:] for row in rows("alexnet")] == [
        ((96, 43, 54), 11_616, 26_972_352),
        ((256, 21, 26), 614_400, 335_462_400),
        ((384, 10, 12), 884_736, 106_168_320),
        ((384, 10, 12), 1_327_104, 159_252_480),
        ((256, 10, 12), 884_736, 106_168_320),
        ((4096,), 4_194_304, 4_194_304),
        ((4096,), 16_777_216, 16_777_216),
        ((3087,), 12_644_352, 12_644_352),
    ]


def test_vgg_block_by_block():
    found = stages("vgg")
    assert [found[f"block{n}"] for n in range(1, 6)] == [
        (37_440, 230_031_360, (96, 64)),
        (221_184, 339_738_624, (48, 32)),
        (2_064_384, 792_723_456, (24, 16)),
        (8_257_536, 792_723_456, (12, 8)),
        (9_437_184, 226_492_416, (6, 4)),
    ]
    assert found["dense"][0] == 12_582_912 + 16_777_216


def test_inception_block_by_block():
    found = stages("inception_v3")
    assert found == {
        "conv1": (80, 491_520, (96, 64)),
        "conv2": (138_240, 805_662_720, (94, 62)),
        "a1": (254_976, 351_866_880, (46, 30)),
        "a2": (276_480, 381_542_400, (46, 30)),
        "a3": (284_160, 392_140_800, (46, 30)),
        "b": (1_152_000, 433_852_416, (22, 14)),
        "c1": (1_294_336, 1_294_336 * 22 * 14, (22, 14)),
        "c2": (1_687_552, 1_687_552 * 22 * 14, (22, 14)),
        "c3": (1_687_552, 1_687_552 * 22 * 14, (22, 14)),
        "c4": (2_138_112, 2_138_112 * 22 * 14, (22, 14)),
        "d": (1_695_744, 302_874_624, (10, 6)),
        "e1": (5_038_080, 5_038_080 * 60, (10, 6)),
        "e2": (6_070_272, 6_070_272 * 60, (10, 6)),
        "output": (6_322_176, 6_322_176, ()),
    }


def test_inception_pool_first_works_on_45_by_29_maps_and_ends_alike():
    found = stages("inception_v3", stem="pool_first")
    assert found["conv2"][2] == (45, 29)
    assert found["e2"][2] == (10, 6)


def test_resnet_stage_by_stage():
    assert stages("resnet50") == {
        "conv1": (3_136, 19_267_584, (96, 64)),
        "stage2": (212_992, 327_155_712, (48, 32)),
        "stage3": (1_212_416, 465_567_744, (24, 16)),
        "stage4": (7_077_888, 679_477_248, (12, 8)),
        "stage5": (14_942_208, 358_612_992, (6, 4)),
        "output": (6_322_176, 6_322_176, ()),
    }


@pytest.mark.parametrize(("name", "share"), [("inception_v3", 0.16), ("resnet50", 0.025), ("alexnet", 0.002)])
def test_the_defaults_come_as_near_to_the_paper_as_is_known(name, share):
    counts = count(name, 3087)
    assert counts.weights == pytest.approx(PAPER[name].weights, rel=0.009)
    assert counts.multiplies == pytest.approx(PAPER[name].multiplies, rel=share)


def test_counting_a_network_leaves_it_and_the_random_state_alone():
    network = create("alexnet", 7, width=0.125, bottleneck=16)
    before, state = {k: v.clone() for k, v in network.state_dict().items()}, torch.get_rng_state()
    assert count(network) == count("alexnet", 7, width=0.125, bottleneck=16)
    assert torch.equal(torch.get_rng_state(), state)
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())


def test_names_options_and_the_papers_tables_need_no_torch():
    code = (
        "import sys\n"
        "from earmark.architectures import OPTIONS, PAPER, PAPER_TABLE_2, complete_options\n"
        "complete_options('alexnet', {'final_pool': '3x3'})\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
