"""Post-processing of embeddings: the published figures, files of ours and of VGGish, refusals."""

import numpy as np
import pytest

from earmark.embeddings import Pca, dequantise, quantise
from earmark.errors import UserError


def made(count=20_000, size=16, seed=0):
    """Gaussian embeddings with very different and correlated directions."""
    draw = np.random.default_rng(seed)
    mixing = draw.normal(size=(size, size)) * np.logspace(0, -1.5, size)
    return (draw.normal(size=(count, size)) @ mixing.T + draw.normal(size=size) * 3).astype(np.float32)


def test_whitened_components_have_unit_variance_and_are_uncorrelated():
    x_NE = made()
    y_NK = Pca.fit(x_NE, 8).whiten(x_NE)
    assert y_NK.shape == (len(x_NE), 8)
    assert np.allclose(np.cov(y_NK.T), np.eye(8), atol=2e-3)
    assert np.allclose(y_NK.mean(axis=0), 0, atol=1e-3)


def test_components_descend_in_variance_and_each_rows_largest_entry_is_positive():
    pca = Pca.fit(made(), 16)
    # Whitening is folded in: the norm of a row is one over the standard deviation along it.
    norms_K = np.linalg.norm(pca.vectors_KE, axis=1)
    assert (np.diff(norms_K) > 0).all()
    largest_K = pca.vectors_KE[np.arange(16), np.abs(pca.vectors_KE).argmax(axis=1)]
    assert (largest_K > 0).all()


def test_the_rows_are_scikit_learns_up_to_their_sign():
    from sklearn.decomposition import PCA

    x_NE = made()
    ours_NK = Pca.fit(x_NE, 5).whiten(x_NE)
    theirs_NK = PCA(5, whiten=True, svd_solver="full").fit(x_NE.astype(np.float64)).transform(x_NE)
    assert np.allclose(np.abs(ours_NK), np.abs(theirs_NK), atol=2e-3)


def test_bytes_of_gaussian_embeddings_have_the_published_statistics():
    x_NE = made(60_000)
    y_NK = Pca.fit(x_NE, 16).whiten(x_NE)
    q_NK = quantise(y_NK)
    assert np.mean(np.abs(y_NK) > 2) == pytest.approx(0.0456, abs=0.001)
    assert q_NK.mean() == pytest.approx(127, abs=0.5)
    assert q_NK.std() == pytest.approx(61, abs=0.5)


def test_a_round_trip_is_off_by_half_a_step_at_most():
    y_NK = np.random.default_rng(1).uniform(-2, 2, (1000, 128)).astype(np.float32)
    off = dequantise(quantise(y_NK)) - y_NK
    assert np.abs(off).max() <= 0.0079
    assert np.sqrt(np.mean(off**2)) == pytest.approx(0.0045, abs=1e-4)


def test_the_cast_truncates_and_the_ends_are_clipped():
    step = 4 / 255
    y = np.array([[-9.0, -2.0, -2 + 0.99 * step, -2 + 1.01 * step, 2 - 0.01 * step, 2.0, 9.0]], np.float32)
    assert quantise(y).tolist() == [[0, 0, 0, 1, 254, 255, 255]]


def test_dequantised_values_are_those_of_the_published_reader():
    q = np.arange(256, dtype=np.uint8)[None]
    expected = q.astype(np.float64) * 4 / 255 + 4 / 512 - 2
    assert np.allclose(dequantise(q), expected, atol=1e-6)


def test_single_and_double_precision_give_the_same_bytes_but_for_a_few_that_differ_by_one():
    x_NE = made(4000)
    pca = Pca.fit(x_NE, 16)
    precise_NK = (x_NE.astype(np.float64) - pca.means_E.astype(np.float64)) @ pca.vectors_KE.T.astype(np.float64)
    single, double = quantise(pca.whiten(x_NE)).astype(int), quantise(precise_NK).astype(int)
    assert np.mean(single == double) > 0.999
    assert np.abs(single - double).max() <= 1


def test_a_direction_that_holds_rounding_alone_fades():
    x_NE = made(size=4)
    x_NE = np.concatenate([x_NE, x_NE[:, :1] + 1e-7 * np.random.default_rng(2).normal(size=(len(x_NE), 1))], axis=1)
    y_NK = Pca.fit(x_NE.astype(np.float32), 5).whiten(x_NE)
    assert y_NK[:, 4].std() < 0.05


def test_a_file_gives_back_what_was_saved(tmp_path):
    pca = Pca.fit(made(), 8)
    pca.save(tmp_path / "pca.safetensors")
    again = Pca.load(tmp_path / "pca.safetensors")
    assert np.array_equal(again.vectors_KE, pca.vectors_KE)
    assert np.array_equal(again.means_E, pca.means_E)


@pytest.mark.parametrize("shape", [(128,), (128, 1)])
def test_the_npz_of_vggish_is_read(tmp_path, shape):
    draw = np.random.default_rng(3)
    vectors, means = draw.normal(size=(128, 128)), draw.normal(size=128)
    np.savez(tmp_path / "params.npz", pca_eigen_vectors=vectors, pca_means=means.reshape(shape))
    x_NE = draw.normal(size=(5, 128)).astype(np.float32)
    y_NK = Pca.load(tmp_path / "params.npz").whiten(x_NE)
    assert np.allclose(y_NK, (vectors @ (x_NE - means).T).T, atol=1e-4)


def test_no_pickle_is_loaded(tmp_path):
    objects = np.array([{"any": "object"}], dtype=object)
    np.savez(tmp_path / "bad.npz", pca_eigen_vectors=objects, pca_means=objects)
    with pytest.raises(UserError, match=r"bad\.npz is no file of a PCA"):
        Pca.load(tmp_path / "bad.npz")


def test_files_that_are_no_pca_are_named(tmp_path):
    (tmp_path / "text.safetensors").write_text("not tensors")
    np.savez(tmp_path / "other.npz", weights=np.ones(3))
    for name, message in (
        ("absent.npz", "is not there"),
        ("text.safetensors", "no file of a PCA"),
        ("other.npz", "no array"),
    ):
        with pytest.raises(UserError, match=message):
            Pca.load(tmp_path / name)


def test_embeddings_of_another_size_are_refused():
    with pytest.raises(UserError, match="of 16 values, not of 12"):
        Pca.fit(made(100), 4).whiten(np.zeros((2, 12), np.float32))


@pytest.mark.parametrize("x_NE", [np.zeros((1, 4), np.float32), np.ones((5, 4), np.float32)])
def test_nothing_to_fit_is_said(x_NE):
    with pytest.raises(UserError, match="a PCA of"):
        Pca.fit(x_NE)
