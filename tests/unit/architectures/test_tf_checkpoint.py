"""Checkpoints of TensorFlow are read as they are, and what is damaged is refused."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tf_files import write_v1, write_v2

from earmark.architectures.tf_checkpoint import index_of, read_checkpoint
from earmark.errors import UserError

VARIABLES = {
    f"vggish/{name}": np.random.default_rng(size).normal(size=(size, 3)).astype(np.float32)
    for size, name in enumerate(["conv1/biases", "conv1/weights", "conv2/biases", "fc1/a", "fc1/b", "fc2/weights"], 1)
} | {"a/scalar": np.float32(2.5)}
OTHERS = ("global_step",)


@pytest.fixture(params=["v1", "v2"])
def checkpoint(request, tmp_path):
    path = tmp_path / "model.ckpt"
    {"v1": write_v1, "v2": write_v2}[request.param](path, VARIABLES, OTHERS)
    return path


def test_every_float_variable_comes_back_and_others_are_left_out(checkpoint):
    found = read_checkpoint(checkpoint)
    assert found.keys() == VARIABLES.keys()
    for name, array in VARIABLES.items():
        np.testing.assert_array_equal(found[name], array)


def test_any_file_of_version_2_names_the_whole(tmp_path):
    write_v2(tmp_path / "model.ckpt", VARIABLES)
    for name in ("model.ckpt", "model.ckpt.index", "model.ckpt.data-00000-of-00001"):
        assert index_of(tmp_path / name) == tmp_path / "model.ckpt.index"
    (tmp_path / "model.ckpt.data-00000-of-00001").unlink()
    with pytest.raises(UserError, match="data-00000-of-00001 is not there"):
        read_checkpoint(tmp_path / "model.ckpt")


def test_other_files_are_no_checkpoint(tmp_path):
    (tmp_path / "short").write_bytes(b"x")
    (tmp_path / "long").write_bytes(bytes(500))
    assert [index_of(tmp_path / name) for name in ("short", "long", "absent")] == [None] * 3


@given(data=st.data())
def test_damage_is_a_user_error_or_does_no_harm(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "model.ckpt"
    write_v1(path, VARIABLES, OTHERS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 9))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with suppress(UserError):
        read_checkpoint(path)


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_a_checkpoint_that_was_cut_short_says_so(checkpoint, kept):
    table = index_of(checkpoint)
    content = table.read_bytes()
    table.write_bytes(content[: int(kept * len(content)) - 48] + content[-48:])
    with pytest.raises(UserError, match=r"cannot be read as a TensorFlow checkpoint .*is it whole"):
        read_checkpoint(checkpoint)
