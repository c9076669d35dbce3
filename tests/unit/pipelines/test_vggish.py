"""Released weights become a package that everything takes: embeddings, post-processing, a start for training."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from earmark.architectures import create
from earmark.config import make_config
from earmark.embeddings import embed_windows, quantise
from earmark.errors import UserError
from earmark.evaluation import model_of, score_clip
from earmark.features import FeatureSpec, Sound, frames_of_sound, patch_count
from earmark.pipelines.vggish import import_vggish
from earmark.registry import fetch_package
from earmark.store import open_store
from earmark.tagging.tagger import tag_sound
from earmark.training.initial import keep_initial, load_initial

VGGISH = {
    "architecture": {"name": "vggish", "width": 1.0, "dropout": 0.0},
    "features": {"tail": "drop", "storage": "float32"},
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of our own names, and a PCA as released."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.device("meta"):
        shapes = {name: p.shape for name, p in create("vggish", 0).named_parameters() if p.numel()}
    drawn = np.random.default_rng(3)
    made = {
        n: drawn.standard_normal(s, np.float32) * (2 / s[1:].numel()) ** 0.5 * (len(s) > 1) for n, s in shapes.items()
    }
    save_file({name: array.astype(np.float32) for name, array in made.items()}, folder / "vggish.safetensors")
    vectors, means = np.random.default_rng(0).normal(size=(128, 128)), np.arange(128.0).reshape(128, 1)
    np.savez(folder / "pca.npz", pca_eigen_vectors=vectors.astype(np.float32), pca_means=means.astype(np.float32))
    return folder


@pytest.fixture(scope="module")
def package(weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("package") / "vggish"
    return fetch_package(str(import_vggish(weights / "vggish.safetensors", folder, weights / "pca.npz")))


def sine(seconds):
    return np.sin(2 * np.pi * 1000 * np.arange(int(seconds * 16_000)) / 16_000).astype(np.float32)


def test_the_package_says_what_sound_it_takes_and_that_it_has_no_labels(package):
    model = model_of(package.weights.read_bytes(), package.document)
    assert model.labels == ()
    assert model.features == FeatureSpec(tail="drop", storage="float32")
    assert package.document["imported"]["source"] == "vggish.safetensors"
    assert len(package.document["imported"]["sha256"]) == 64
    assert package.clips().num_rows == 0


def test_three_seconds_have_three_linear_embeddings_and_no_scores(package):
    model = model_of(package.weights.read_bytes(), package.document)
    frames_TF, _ = frames_of_sound(Sound(sine(3)[:, None], 16_000), model.features)
    assert patch_count(3 * 16_000, model.features.tail) == 3
    e_PE = embed_windows(model, frames_TF, np.array([0, 96, 192]))
    assert e_PE.shape == (3, 128)
    assert e_PE.min() < 0 < e_PE.max()
    scores = score_clip(model, frames_TF[: 3 * 96])
    assert scores.scores_C.shape == (0,)
    assert scores.patch_scores_PC.shape == (3, 0)
    np.testing.assert_allclose(e_PE.mean(axis=0), scores.embedding_E, atol=1e-5)


def test_its_post_processing_comes_along(package, weights):
    pca = package.pca()
    released = np.load(weights / "pca.npz")
    np.testing.assert_array_equal(pca.vectors_KE, released["pca_eigen_vectors"])
    np.testing.assert_array_equal(pca.means_E, released["pca_means"].reshape(-1))
    assert quantise(pca.whiten(np.ones((2, 128), np.float32))).dtype == np.uint8
    assert len(package.document["pca_sha256"]) == 64


def test_training_starts_from_it_with_a_fresh_head(package, tmp_path):
    store = open_store(tmp_path)
    config = make_config("paper", VGGISH | {"train": {"steps": 1, "init_from": str(package.folder)}})
    kept = keep_initial(store, config)
    torch.manual_seed(0)
    network = create("vggish", 3)
    told = load_initial(network, store, kept.train.init_from, ["dog", "rain", "siren"])
    assert "a fresh head" in told
    from safetensors.torch import load_file

    trunk = load_file(package.weights)["trunk.dense.0.weight"]
    assert torch.equal(network.state_dict()["trunk.dense.0.weight"], trunk)
    assert network.output.weight.std() > 0


def test_it_says_that_it_cannot_tag(package):
    model = model_of(package.weights.read_bytes(), package.document)
    with pytest.raises(UserError, match="has no labels, it gives embeddings: use `earmark embed`"):
        next(tag_sound(model, None))


def test_a_folder_that_holds_something_is_left_alone(weights, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="holds something already: give a new folder"):
        import_vggish(weights / "vggish.safetensors", tmp_path, None)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_pca_of_another_size_is_refused_and_nothing_is_written(weights, tmp_path):
    np.savez(tmp_path / "small.npz", pca_eigen_vectors=np.eye(64, dtype=np.float32), pca_means=np.zeros(64, np.float32))
    with pytest.raises(UserError, match="VGGish's is of"):
        import_vggish(weights / "vggish.safetensors", tmp_path / "to", tmp_path / "small.npz")
    assert not (tmp_path / "to").exists()


def test_the_description_is_whole_json(package):
    assert json.loads((package.folder / "model.json").read_text())["architecture"]["name"] == "vggish"
