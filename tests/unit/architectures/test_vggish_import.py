"""Released weights of every form become the same network, checked against a forward of their own layout."""

import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from tf_files import write_v1, write_v2

from earmark.architectures import create
from earmark.architectures.vggish_import import LAYERS, read_vggish
from earmark.errors import UserError

PUBLIC = {
    # as TensorFlow's checkpoint names and shapes them
    "conv1": (3, 3, 1, 64),
    "conv2": (3, 3, 64, 128),
    "conv3/conv3_1": (3, 3, 128, 256),
    "conv3/conv3_2": (3, 3, 256, 256),
    "conv4/conv4_1": (3, 3, 256, 512),
    "conv4/conv4_2": (3, 3, 512, 512),
    "fc1/fc1_1": (12288, 4096),
    "fc1/fc1_2": (4096, 4096),
    "fc2": (4096, 128),
}


@pytest.fixture(scope="module")
def released():
    """Random weights of the public shapes, scaled so that values keep their size through the depth."""
    drawn = np.random.default_rng(7)
    found = {}
    for layer, shape in PUBLIC.items():
        weights = drawn.standard_normal(shape, np.float32) * np.float32((2 / np.prod(shape[:-1])) ** 0.5)
        found[f"vggish/{layer}/weights"] = weights
        found[f"vggish/{layer}/biases"] = drawn.standard_normal(shape[-1], np.float32) / 10
    return found


@pytest.fixture(scope="module")
def network(released, tmp_path_factory):
    file = tmp_path_factory.mktemp("released") / "vggish_model.ckpt"
    write_v1(file, released)
    return network_of(file)


def network_of(file):
    with torch.device("meta"):
        made = create("vggish", 0)
    tensors = {name: torch.from_numpy(array) for name, array in read_vggish(file).items()}
    tensors |= {"output.weight": torch.empty(0, 128), "output.bias": torch.empty(0)}
    made.load_state_dict(tensors, assign=True)
    return made.eval()


def as_released(variables, x_BTF):
    """VGGish as TensorFlow computes it: maps (B, T, F, C), kernels (T, F, in, out), maps laid out channels last."""
    x_BTFC = x_BTF[..., None]
    for layer in PUBLIC:
        weights, biases = (torch.from_numpy(variables[f"vggish/{layer}/{kind}"]) for kind in ("weights", "biases"))
        if weights.dim() == 2:
            x_BTFC = x_BTFC.flatten(1) @ weights + biases
            x_BTFC = x_BTFC if layer == "fc2" else x_BTFC.relu()
            continue
        # a 3 × 3 convolution by its nine taps
        padded = F.pad(x_BTFC, (0, 0, 1, 1, 1, 1))
        frames, bands = x_BTFC.shape[1:3]
        taps = [padded[:, t : t + frames, f : f + bands] @ weights[t, f] for t in range(3) for f in range(3)]
        x_BTFC = (sum(taps) + biases).relu()
        if layer in ("conv1", "conv2", "conv3/conv3_2", "conv4/conv4_2"):
            batch, _, _, channels = x_BTFC.shape
            x_BTFC = x_BTFC.reshape(batch, frames // 2, 2, bands // 2, 2, channels).amax((2, 4))
    return x_BTFC


def sine_patches():
    """1 kHz, amplitude 1, 3 s: the released smoke test's sound, as three log-mel examples (3, 96, 64)."""
    from earmark.features import log_mel

    wave = np.sin(2 * np.pi * 1000 * np.arange(3 * 16_000) / 16_000)
    frames_TF = np.asarray(log_mel(wave.astype(np.float32), 16_000))
    return torch.from_numpy(frames_TF[: 3 * 96].reshape(3, 96, 64).astype(np.float32))


def test_it_computes_what_the_released_layout_computes(released, network):
    x_BTF = sine_patches()
    with torch.no_grad():
        torch.testing.assert_close(network.features(x_BTF), as_released(released, x_BTF), rtol=1e-4, atol=1e-4)


def test_the_embedding_is_linear(network):
    with torch.no_grad():
        e_BE = network.features(sine_patches())
    assert e_BE.shape == (3, 128)
    assert e_BE.isfinite().all()
    assert 0.2 < (e_BE < 0).float().mean() < 0.8
    assert 0.1 < e_BE.std() < 10


@pytest.mark.parametrize("form", ["checkpoint 2", "npz", "npz of TensorFlow 1", "torchvggish", "ours"])
def test_every_form_gives_the_same_weights(form, released, network, tmp_path):
    expected = network.state_dict()
    torch_names = {
        f"{theirs}.{kind}": expected[f"{ours}.{kind}"].numpy()
        for ours, (_, theirs) in LAYERS.items()
        for kind in ("weight", "bias")
    }
    file = tmp_path / "weights"
    if form == "checkpoint 2":
        write_v2(file, released | {"vggish/fc2/weights/Adam": released["vggish/fc2/weights"], "logits": np.ones(2)})
    elif form.startswith("npz"):
        file = tmp_path / "weights.npz"
        np.savez(file, **{name + ":0" * form.endswith("1"): array for name, array in released.items()})
    elif form == "torchvggish":
        save_file(torch_names | {"pproc.pca_means": np.ones((128, 1), np.float32)}, file)
    else:
        save_file({name: tensor.numpy() for name, tensor in expected.items()}, file)
    found = read_vggish(file)
    assert found.keys() == {name for name in expected if not name.startswith("output.")}
    for name, array in found.items():
        assert np.array_equal(array, expected[name].numpy()), name


def test_every_mismatch_is_named(released, tmp_path):
    wrong = dict(released)
    del wrong["vggish/conv2/biases"]
    wrong["vggish/fc2/weights"] = np.ones((4096, 64), np.float32)
    wrong["vggish/fc3/weights"] = np.ones(3, np.float32)
    wrong["vggish/conv1/biases"] = np.full(64, np.nan, np.float32)
    file = tmp_path / "weights.npz"
    np.savez(file, **wrong)
    with pytest.raises(UserError, match="is not VGGish") as refusal:
        read_vggish(file)
    for said in (
        "trunk.block2.0.bias is missing",
        "vggish/fc3/weights is unknown",
        "vggish/fc2/weights is (64, 4096) in our order of axes, not (128, 4096)",
        "vggish/conv1/biases has values that are not finite numbers",
    ):
        assert said in str(refusal.value)


def test_pickles_are_never_read(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"features.0.weight": Trap()}, tmp_path / "vggish.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps(Trap()))
    np.savez(tmp_path / "objects.npz", a=np.array([Trap()], dtype=object))
    for name, said in (
        ("vggish.pth", "is a PyTorch pickle"),
        ("old.pth", "is a PyTorch pickle"),
        ("objects.npz", "is no .npz of arrays"),
    ):
        with pytest.raises(UserError, match=re.escape(said)):
            read_vggish(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_other_files_are_told_what_is_read(tmp_path):
    for content, said in (
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "is HDF5, as Keras writes it"),
        (b"RIFF" + bytes(100), "is none of the forms that are read"),
        (b"", "is none of the forms that are read"),
        (bytes(8) + b"{" + bytes(50), "is no safetensors file"),
    ):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(UserError, match=said):
            read_vggish(tmp_path / "file")
    with pytest.raises(UserError, match="absent is not there: give a TensorFlow checkpoint"):
        read_vggish(tmp_path / "absent")


@pytest.mark.skipif("EARMARK_VGGISH" not in os.environ, reason="EARMARK_VGGISH names no file of the released weights")
def test_the_released_weights_give_the_released_statistics():
    with torch.no_grad():
        e_BE = network_of(Path(os.environ["EARMARK_VGGISH"])).features(sine_patches())
    assert e_BE.mean().item() == pytest.approx(0.000657, rel=0.1)
    assert e_BE.std().item() == pytest.approx(0.343, rel=0.1)
