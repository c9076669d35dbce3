"""Released VGGish weights in the forms that people have them, under the names of our network. Nothing is unpickled."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.architectures import tf_checkpoint
from earmark.architectures.vggish import BLOCKS, EMBEDDING
from earmark.errors import UserError

Arrays = dict[str, NDArray[Any]]

LAYERS = {
    # ours: the release's in TensorFlow, torchvggish's
    "trunk.block1.0": ("conv1", "features.0"),
    "trunk.block2.0": ("conv2", "features.3"),
    "trunk.block3.0": ("conv3/conv3_1", "features.6"),
    "trunk.block3.2": ("conv3/conv3_2", "features.8"),
    "trunk.block4.0": ("conv4/conv4_1", "features.11"),
    "trunk.block4.2": ("conv4/conv4_2", "features.13"),
    "trunk.dense.0": ("fc1/fc1_1", "embeddings.0"),
    "trunk.dense.3": ("fc1/fc1_2", "embeddings.2"),
    "bottleneck": ("fc2", "embeddings.4"),
}
SCOPE = "vggish/"
# What an optimiser leaves beside a variable in a checkpoint of training.
SLOT = re.compile(r"/(Adam|Adam_1|Momentum|ExponentialMovingAverage)$")
FORMS = "a TensorFlow checkpoint (vggish_model.ckpt), a .npz with its variables, or .safetensors"


def read_vggish(file: Path) -> Arrays:
    """The weights of a file as float32 arrays under our network's names, its output layer left out.

    Args:
        file: a TensorFlow checkpoint (version 1: the file; version 2: the name before ``.index``); a ``.npz`` with the
            checkpoint's variables (``vggish/conv1/weights`` …); or safetensors with torchvggish's names or with ours.

    Raises:
        UserError: no such file, another form, or arrays that are missing, unknown or of another shape, all named.
    """
    arrays = _read(file)
    if any(name.startswith(SCOPE) for name in arrays):
        theirs = {_variable(ours): ours for ours in _shapes()}
        # a classifier that was trained on top has variables of its own outside the scope
        found = {name: array for name, array in arrays.items() if name.startswith(SCOPE) and not SLOT.search(name)}
        named = {theirs.get(name, name): (name, _kernel_of_tf(array)) for name, array in found.items()}
    else:
        theirs = {_torchvggish(ours): ours for ours in _shapes()}
        kept = {n: a for n, a in arrays.items() if not n.startswith(("output.", "pproc."))}
        named = {theirs.get(name, name): (name, array) for name, array in kept.items()}
    _check(file, named)
    return {name: np.array(named[name][1], np.float32, order="C") for name in _shapes()}


def _read(file: Path) -> Arrays:
    if tf_checkpoint.index_of(file) is not None:
        return tf_checkpoint.read_checkpoint(file)
    if not file.is_file():
        raise UserError(f"{file} is not there: give {FORMS}")
    with file.open("rb") as opened:
        start = opened.read(9)
    if zipfile.is_zipfile(file):
        return _read_npz(file)
    if start[8:9] == b"{":
        return _read_safetensors(file)
    if start[:1] == b"\x80":
        raise _pickled(file)
    if start[1:4] == b"HDF":
        raise UserError(f"{file} is HDF5, as Keras writes it: convert it to .npz first (docs/vggish.md)")
    raise UserError(f"{file} is none of the forms that are read: give {FORMS}")


def _read_npz(file: Path) -> Arrays:
    with zipfile.ZipFile(file) as archive:
        if any(name.endswith("data.pkl") for name in archive.namelist()):
            raise _pickled(file)
    try:
        with np.load(file, allow_pickle=False) as opened:
            found = {name.removesuffix(":0"): opened[name] for name in opened.files}
        # NumPy gives a member that is no array as its bytes.
        if not all(isinstance(array, np.ndarray) for array in found.values()):
            raise ValueError("it has members of another kind")
        return found
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{file} is no .npz of arrays: {error}") from None


def _read_safetensors(file: Path) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found: Arrays = load_file(file)
    except SafetensorError as error:
        raise UserError(f"{file} is no safetensors file: {error}") from None
    return found


def _pickled(file: Path) -> UserError:
    return UserError(
        f"{file} is a PyTorch pickle, which can run code when it is loaded and is never read here: convert it to "
        ".safetensors first, in one line (docs/vggish.md)"
    )


def _check(file: Path, named: Mapping[str, tuple[str, NDArray[Any]]]) -> None:
    shapes = _shapes()
    wrong = [f"{name} is missing" for name in shapes if name not in named]
    wrong += [f"{theirs} is unknown" for name, (theirs, _) in named.items() if name not in shapes]
    wrong += [
        f"{theirs} is {array.shape} in our order of axes, not {shapes[name]}"
        for name, (theirs, array) in named.items()
        if name in shapes and array.shape != shapes[name]
    ]
    wrong += [
        f"{theirs} has values that are not finite numbers"
        for name, (theirs, array) in named.items()
        if name in shapes and not (array.dtype.kind == "f" and np.isfinite(array).all())
    ]
    if wrong:
        raise UserError(f"{file} is not VGGish: {'; '.join(wrong)}: give {FORMS}")


def _shapes() -> dict[str, tuple[int, ...]]:
    """Shapes by our names, as the release has them: the network at width 1."""
    found: dict[str, tuple[int, ...]] = {}
    channels = 1
    for number, (size, convolutions) in enumerate(BLOCKS, start=1):
        for index in range(convolutions):
            found[f"trunk.block{number}.{2 * index}.weight"] = (size, channels, 3, 3)
            found[f"trunk.block{number}.{2 * index}.bias"] = (size,)
            channels = size
    units = channels * 6 * 4
    for name, size in (("trunk.dense.0", 4096), ("trunk.dense.3", 4096), ("bottleneck", EMBEDDING)):
        found[f"{name}.weight"], found[f"{name}.bias"] = (size, units), (size,)
        units = size
    return found


def _variable(ours: str) -> str:
    layer, _, kind = ours.rpartition(".")
    return f"{SCOPE}{LAYERS[layer][0]}/{'weights' if kind == 'weight' else 'biases'}"


def _torchvggish(ours: str) -> str:
    layer, _, kind = ours.rpartition(".")
    return f"{LAYERS[layer][1]}.{kind}"


def _kernel_of_tf(array: NDArray[Any]) -> NDArray[Any]:
    """(T, F, in, out) → (out, in, T, F); (in, out) → (out, in); biases as they are."""
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
