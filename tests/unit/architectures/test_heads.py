"""Heads: names of weights, sizes, votes against scikit-learn; the fully connected network's shorter context."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from earmark.architectures import count, create, scores_of
from earmark.architectures.heads import Neighbours
from earmark.config import HeadConfig
from earmark.errors import UserError

DENSE = HeadConfig(kind="dense", layers=2, units=80)


def test_the_linear_head_keeps_the_names_that_old_packages_have():
    names = [name for name in create("fully_connected", 3, 0.1).state_dict() if not name.startswith("trunk.")]
    assert names == ["output.weight", "output.bias"]


def test_a_dense_head_at_full_width_adds_exactly_its_kernels():
    plain, dense = count("resnet50", 10), count("resnet50", 10, head=HeadConfig(kind="dense"))
    added = 2048 * 1000 + 1000 * 1000 + 1000 * 10 - 2048 * 10
    assert dense.weights - plain.weights == dense.multiplies - plain.multiplies == added


@pytest.mark.parametrize("bottleneck", [None, 16])
def test_the_embedding_is_the_trunks_whatever_the_head(bottleneck):
    torch.manual_seed(0)
    network = create("fully_connected", 3, 0.1, bottleneck, 0.5, DENSE).eval()
    x_BTF = torch.randn(4, 96, 64)
    e_BE = network.features(x_BTF)
    assert e_BE.shape == (4, network.embedding_size) == (4, bottleneck or 96)
    torch.testing.assert_close(network(x_BTF), network.output(e_BE))
    assert network.last is network.output.last


def test_neighbours_vote_as_scikit_learns_do():
    random = np.random.default_rng(0)
    known_SE, asked_BE = random.normal(size=(40, 8)), random.normal(size=(25, 8)).astype(np.float32)
    known_SE = (known_SE / np.linalg.norm(known_SE, axis=1, keepdims=True)).astype(np.float32)
    label_S = random.integers(0, 3, 40)
    head = Neighbours(8, 40, 5, 3)
    head.embeddings.copy_(torch.from_numpy(known_SE))
    head.targets.copy_(torch.from_numpy(np.eye(3, dtype=np.float32)[label_S]))
    theirs = KNeighborsClassifier(5, metric="cosine", algorithm="brute", weights=lambda d: np.maximum(1 - d, 1e-6))
    share_BC = theirs.fit(known_SE, label_S).predict_proba(asked_BE)
    scores_BC = scores_of(head(torch.from_numpy(asked_BE)), "sigmoid").numpy()
    assert np.allclose(scores_BC, np.clip(share_BC, 1e-4, 1 - 1e-4), atol=1e-5)


def test_known_clips_count_as_a_kernel_and_lie_in_the_weights():
    head = HeadConfig(kind="neighbours", stored_clips=7)
    network = create("fully_connected", 3, 0.1, head=head)
    assert count(network).weights == count("fully_connected", 3, 0.1).weights + 7 * 96 - 3 * 96
    assert network.state_dict()["output.embeddings"].shape == (7, 96)
    assert network.state_dict()["output.targets"].shape == (7, 3)
    assert network.last is None


def test_neighbours_without_clips_are_refused_with_the_remedy():
    with pytest.raises(UserError, match="freeze_stages to all"):
        create("fully_connected", 3, 0.1, head=HeadConfig(kind="neighbours"))


def test_a_short_context_sees_the_middle_frames_alone():
    torch.manual_seed(0)
    network = create("fully_connected", 3, 0.1, context_frames=20).eval()
    x_BTF = torch.randn(2, 96, 64)
    outside, inside = x_BTF.clone(), x_BTF.clone()
    outside[:, :38], outside[:, 58:] = 9.0, -9.0
    inside[:, 57] += 1.0
    assert torch.equal(network(outside), network(x_BTF))
    assert not torch.equal(network(inside), network(x_BTF))


def test_a_context_longer_than_a_patch_is_refused():
    with pytest.raises(UserError, match="from 1 to 96"):
        create("fully_connected", 3, context_frames=97)
