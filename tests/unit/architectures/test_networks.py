"""What every network promises: shapes, features and head, gradients, width, precision, names."""

import pytest
import torch
import torch.nn.functional as F

from earmark import architectures
from earmark.architectures import OPTIONS, PAPER, PAPER_TABLE_2, count, create
from earmark.architectures.layers import scaled
from earmark.config import ARCHITECTURES, OTHER_ARCHITECTURES
from earmark.errors import UserError

WIDTH = 0.125
VARIANTS = [
    *((name, {}) for name in ARCHITECTURES),
    ("alexnet", {"final_pool": "3x3"}),
    ("inception_v3", {"stem": "pool_first"}),
    ("resnet50", {"version": "v1.5"}),
    ("fully_connected", {"depth": 2, "units": 500}),
]


def patches(n, seed=0):
    return torch.randn(n, 96, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 2


def network(name, n_labels=5, seed=0, width=WIDTH, **kwargs):
    torch.manual_seed(seed)
    return create(name, n_labels, width, **kwargs)


def test_one_list_of_names_everywhere():
    assert set(PAPER) == set(ARCHITECTURES) == {row.name for row in PAPER_TABLE_2}
    assert set(OPTIONS) == {*ARCHITECTURES, *OTHER_ARCHITECTURES}


@pytest.mark.parametrize("bottleneck", [None, 16])
@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_features_and_head_make_the_network(name, options, bottleneck):
    net = network(name, bottleneck=bottleneck, **options).eval()
    x_BTF = patches(3)
    with torch.no_grad():
        e_BE = net.features(x_BTF)
        logits_BC = net(x_BTF)
        assert e_BE.shape == (3, net.embedding_size)
        assert logits_BC.shape == (3, 5)
        assert net.output.in_features == net.embedding_size
        assert net.output.out_features == 5
        torch.testing.assert_close(net.head(e_BE), logits_BC, rtol=0, atol=0)
        torch.testing.assert_close(net(x_BTF.unsqueeze(1)), logits_BC, rtol=0, atol=0)
        torch.testing.assert_close(net(x_BTF[1:2]), logits_BC[1:2], rtol=1e-4, atol=1e-5)
    assert logits_BC.std() > 0
    if bottleneck:
        assert net.embedding_size == 16
        assert e_BE.min() < 0  # linear: ReLU belongs to the head
        torch.testing.assert_close(net.output(F.relu(e_BE)), logits_BC)
    else:
        assert e_BE.min() >= 0


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_gradients_reach_every_parameter(name, options):
    net = network(name, bottleneck=8, dropout=0.1, **options)
    loss = F.binary_cross_entropy_with_logits(net(patches(4)), torch.eye(5)[:4])
    loss.backward()
    for parameter_name, parameter in net.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.abs().max() > 0, parameter_name


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_channels_last_and_bf16_give_the_same_logits_within_rounding(name):
    net = network(name).eval()
    x_B1TF = patches(2).unsqueeze(1)
    with torch.no_grad():
        expected = net(x_B1TF)
        net = net.to(memory_format=torch.channels_last)
        last = net(x_B1TF.to(memory_format=torch.channels_last))
        with torch.autocast("cpu", torch.bfloat16):
            half = net(x_B1TF.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(half.float(), expected, rtol=0.1, atol=0.05)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_initial_values_keep_the_signal_alive_through_the_depth(name):
    net = network(name, width=0.25)
    with torch.no_grad():
        e_BE = net.features(patches(8))
    assert 0.05 < e_BE.std() < 20
    assert net.output.bias.abs().max() == 0
    assert net.output.weight.std().item() == pytest.approx(0.01, rel=0.2)
    kernel = next(p for p in net.parameters() if p.dim() > 1)
    assert kernel.std().item() == pytest.approx((2 / kernel[0].numel()) ** 0.5, rel=0.1)


def test_weights_are_a_function_of_the_seed():
    one, same, other = (network("resnet50", seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["output.weight"], other["output.weight"])


def test_batch_norm_epsilon_of_inception():
    eps = {m.eps for m in network("inception_v3").modules() if isinstance(m, torch.nn.BatchNorm2d)}
    assert eps == {1e-3}


def test_dropout_stands_between_dense_layers_and_before_the_output_and_sleeps_in_evaluation():
    for name, places in (("fully_connected", 3), ("alexnet", 2), ("vgg", 2), ("inception_v3", 1), ("resnet50", 1)):
        net = network(name, dropout=0.5)
        assert [m.p for m in net.modules() if isinstance(m, torch.nn.Dropout)] == [0.5] * places, name
    net = network("fully_connected", dropout=0.5)
    x_BTF = patches(2)
    assert not torch.equal(net(x_BTF), net(x_BTF))
    net.eval()
    assert torch.equal(net(x_BTF), net(x_BTF))


def test_inception_pools_before_or_after_the_convolution_alike():
    net = network("inception_v3", width=0.25).eval()
    convolution, pool, norm, relu = net.trunk.a1[3]
    x_BCTF = torch.rand(2, convolution.in_channels, 9, 7)
    with torch.no_grad():
        usual = relu(norm(convolution(pool(x_BCTF))))
        torch.testing.assert_close(net.trunk.a1[3](x_BCTF), usual)


def test_resnet_versions_differ_only_in_where_the_stride_is():
    strides = {
        version: [
            m.stride[0]
            for m in network("resnet50", version=version).trunk.stage3[0].residual.modules()
            if isinstance(m, torch.nn.Conv2d)
        ]
        for version in ("v1", "v1.5")
    }
    assert strides == {"v1": [2, 1, 1], "v1.5": [1, 2, 1]}


@pytest.mark.parametrize("units", [1, 48, 80, 1000, 4096])
def test_width_one_changes_nothing_and_others_give_multiples_of_eight(units):
    assert scaled(units, 1.0) == units
    for width in (0.01, 0.25, 0.3, 0.5, 2.0):
        size = scaled(units, width)
        assert size % 8 == 0
        assert size >= 8
        assert abs(size - units * width) <= max(4, 8 - units * width)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_half_width_quarters_most_of_the_weights(name):
    whole, half = count(name, 10), count(name, 10, width=0.5)
    assert 0.2 < half.weights / whole.weights < 0.55


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        (("resnet5", 3), {}, "unknown architecture 'resnet5'; did you mean 'resnet50'?"),
        (("alexnet", 3), {"finalpool": "2x2"}, "unknown option of alexnet 'finalpool'; did you mean 'final_pool'?"),
        (("alexnet", 3), {"final_pool": "2x3"}, "unknown final_pool of alexnet '2x3'; did you mean"),
        (("resnet50", 3), {"version": 1.5}, "unknown version of resnet50 '1.5'; did you mean 'v1.5'?"),
        (("vgg", 3), {"stem": "text"}, "vgg has no options"),
        (("fully_connected", 3), {"depth": 0}, "depth of fully_connected must be a whole number of at least 1"),
        (("fully_connected", 3), {"units": True}, "units of fully_connected must be a whole number"),
        (("fully_connected", 3), {"units": 10.5}, "units of fully_connected must be a whole number"),
        (("vgg", -1), {}, "n_labels must be at least 0"),
        (("vgg", 3, 0.0), {}, "width must be above 0"),
        (("vgg", 3, float("nan")), {}, "width must be above 0"),
        (("vgg", 3, 1.0, 0), {}, "bottleneck must be at least 1"),
        (("vgg", 3, 1.0, None, 1.0), {}, "dropout must be at least 0 and below 1"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_nearest_name(arguments, options, said):
    with pytest.raises(UserError) as refusal:
        create(*arguments, **options)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("shape", [(2, 64, 96), (96, 64), (2, 2, 96, 64), (2, 95, 64)])
def test_other_shapes_than_patches_are_refused(shape):
    with pytest.raises(ValueError, match="patches must be"):
        network("resnet50")(torch.zeros(shape))


def test_an_unknown_attribute_of_the_room_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'creat'"):
        _ = architectures.creat


STAGES = {
    "fully_connected": "dense1 dense2 dense3",
    "alexnet": "conv1 conv2 conv3 conv4 conv5 dense",
    "vgg": "block1 block2 block3 block4 block5 dense",
    "inception_v3": "conv1 conv2 a1 a2 a3 b c1 c2 c3 c4 d e1 e2",
    "resnet50": "conv1 stage2 stage3 stage4 stage5",
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_stages_in_their_order_hold_all_weights_but_the_head(name):
    net = network(name, bottleneck=16)
    stages = net.stages()
    assert list(stages) == [*STAGES[name].split(), "bottleneck"]
    held = [id(p) for stage in stages.values() for p in stage.parameters()]
    assert sorted(held) == sorted(
        id(p) for p in net.parameters() if p is not net.output.weight and p is not net.output.bias
    )
    reached = []
    for stage_name, stage in stages.items():
        stage.register_forward_hook(lambda *_, stage_name=stage_name: reached.append(stage_name))
    net.eval()(patches(1))
    assert reached == list(stages)


def test_frozen_stages_get_no_gradient_and_stay_in_evaluation_mode():
    net = network("vgg").train()
    net.freeze(2)
    net.eval()
    net.train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    net(patches(2)).sum().backward()
    frozen = [name for name, _ in net.named_parameters() if name.startswith(("trunk.block1.", "trunk.block2."))]
    assert [name for name, p in net.named_parameters() if p.grad is None] == frozen
    changed = {name for name, tensor in net.state_dict().items() if not torch.equal(tensor, before[name])}
    assert not any(name.startswith(("trunk.block1.", "trunk.block2.")) for name in changed)
    assert any("block3" in name and "running_mean" in name for name in changed)
