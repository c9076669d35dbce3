"""PCA with whitening, as VGGish's post-processing: rows are components, whitening folded in."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.errors import UserError

COMPONENTS = 128
"""Of VGGish and Audio Set."""
VECTORS, MEANS = "pca_eigen_vectors", "pca_means"
RELATIVE_EPS = 1e-10
"""Added to the variances, times the largest: a direction with nothing but rounding in it fades instead of growing."""


@dataclass(frozen=True, eq=False)
class Pca:
    """y = P (x - mu).

    Attributes:
        vectors_KE: P, a component a row, by descending variance.
        means_E: mu.
    """

    vectors_KE: NDArray[np.floating[Any]]
    means_E: NDArray[np.floating[Any]]

    @staticmethod
    def fit(x_NE: NDArray[np.floating[Any]], components: int = COMPONENTS) -> Pca:
        """The PCA of embeddings (N, E): at most ``components`` rows of V diag(variance + eps)^-1/2.

        The largest entry of each row is positive, so that equal data gives equal signs.

        Raises:
            UserError: fewer than two embeddings, or all alike.
        """
        import scipy.linalg

        count, size = x_NE.shape
        if count < 2:
            raise UserError(f"a PCA of {count} embeddings: give two at least")
        means_E = x_NE.mean(axis=0, dtype=np.float64)
        centred_NE = x_NE - means_E
        covariance_EE = centred_NE.T @ centred_NE / (count - 1)
        kept = min(components, size)
        variances_K, vectors_EK = scipy.linalg.eigh(covariance_EE, subset_by_index=[size - kept, size - 1])
        variances_K, vectors_KE = variances_K[::-1], vectors_EK.T[::-1]
        if not variances_K[0] > 0:
            raise UserError(f"a PCA of {count} embeddings that are all alike: give different sounds")
        largest_K = np.take_along_axis(vectors_KE, np.abs(vectors_KE).argmax(axis=1)[:, None], axis=1)
        scales_K = np.sqrt(np.maximum(variances_K, 0.0) + RELATIVE_EPS * variances_K[0])
        vectors_KE = vectors_KE * np.sign(largest_K) / scales_K[:, None]
        return Pca(vectors_KE.astype(np.float32), means_E.astype(np.float32))

    def whiten(self, x_NE: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Embeddings (N, E) as (N, K) with unit variance a component, not clipped.

        Raises:
            UserError: embeddings of another size.
        """
        if x_NE.shape[-1] != len(self.means_E):
            raise UserError(
                f"the PCA is of embeddings of {len(self.means_E)} values, not of {x_NE.shape[-1]}: "
                "use that of the same model"
            )
        y_NK: NDArray[np.float32] = ((x_NE - self.means_E) @ self.vectors_KE.T).astype(np.float32)
        return y_NK

    def save(self, path: Path) -> None:
        """Write both arrays as safetensors."""
        from safetensors.numpy import save_file

        arrays = {VECTORS: self.vectors_KE, MEANS: self.means_E}
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)

    @staticmethod
    def load(path: Path) -> Pca:
        """Read what :meth:`save` wrote, or a ``.npz`` with the same two arrays, as VGGish's.

        Raises:
            UserError: no such file, or one without these arrays; arrays of Python objects are refused.
        """
        try:
            arrays = _read_npz(path) if zipfile.is_zipfile(path) else _read_safetensors(path)
            vectors_KE, means_E = arrays[VECTORS], arrays[MEANS].reshape(-1)
        except FileNotFoundError:
            raise UserError(f"{path} is not there: give the file of a PCA") from None
        except KeyError as error:
            raise UserError(f"{path} has no array {error}: give a PCA with {VECTORS} and {MEANS}") from None
        except (ValueError, OSError) as error:
            raise UserError(f"{path} is no file of a PCA: {error}") from None
        if vectors_KE.ndim != 2 or vectors_KE.shape[1] != len(means_E):
            raise UserError(f"{path} has {VECTORS} {vectors_KE.shape} and {MEANS} {means_E.shape}: they do not fit")
        return Pca(vectors_KE, means_E)


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as file:
        found = {name: file[name] for name in (VECTORS, MEANS)}
    # NumPy gives a member that is no array as its bytes.
    if not all(isinstance(array, np.ndarray) for array in found.values()):
        raise ValueError("its members are no arrays")
    return found


def _read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found: dict[str, NDArray[Any]] = load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    return found
