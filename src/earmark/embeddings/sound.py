"""Embeddings of a sound of any length: one for each 0.96 s, and their mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.embeddings.linear import PATCHES_AT_ONCE, embed_windows
from earmark.embeddings.pca import Pca
from earmark.embeddings.quantise import dequantise, quantise
from earmark.errors import UserError, unknown_name
from earmark.features import PATCH_FRAMES, FrameMaker, SoundBlocks

if TYPE_CHECKING:
    from earmark.evaluation import Model

PATCH_SECONDS = 0.96
KINDS = ("raw", "whitened", "uint8")
"""Linear values in float32, whitened by a PCA, or that in 8 bits."""


@dataclass(frozen=True)
class Embedded:
    """A clip's embeddings, linear values in float32."""

    seconds: float
    patches_PE: NDArray[np.float32]
    """One a patch, without overlap, from the clip's start."""

    @property
    def clip_E(self) -> NDArray[np.float32]:  # noqa: N802  (a shape)
        """The mean of the patches."""
        mean_E: NDArray[np.float32] = self.patches_PE.mean(axis=0, dtype=np.float64).astype(np.float32)
        return mean_E


def embed_sound(model: Model, sound: SoundBlocks) -> Embedded:
    """Embeddings of a sound, decoded block by block.

    Raises:
        DecodeError: the sound cannot be decoded, has no samples, or (where the model does not pad) not enough.
    """
    maker = FrameMaker(model.features, sound.rate)
    found, frames_TF = [], np.empty((0, 0))

    def take(more_TF: NDArray[Any], least: int) -> None:
        nonlocal frames_TF
        frames_TF = np.concatenate([frames_TF, more_TF]) if len(frames_TF) else more_TF
        count = len(frames_TF) // PATCH_FRAMES
        if count >= least:
            found.append(embed_windows(model, frames_TF, np.arange(count, dtype=np.int64) * PATCH_FRAMES))
            frames_TF = frames_TF[count * PATCH_FRAMES :]

    for samples_NC in sound.blocks:
        take(maker.add(samples_NC), PATCHES_AT_ONCE)
    take(maker.end(), 1)
    return Embedded(maker.seconds, np.concatenate(found))


def values_of(x_NE: NDArray[np.float32], kind: str, pca: Pca | None) -> NDArray[Any]:
    """Linear embeddings (N, E) as values of a kind, (N, E) or (N, K).

    Raises:
        UserError: another kind, or no PCA where one is needed.
    """
    if kind not in KINDS:
        raise unknown_name("kind of embeddings", kind, KINDS)
    if kind == "raw":
        return x_NE
    if pca is None:
        raise UserError(
            "this model has no PCA, and whitened embeddings need one: fit one on these sounds (--fit-pca), "
            "or embed without --pca and --bits 8"
        )
    y_NK = pca.whiten(x_NE)
    return quantise(y_NK) if kind == "uint8" else y_NK


def floats_of(values_NK: NDArray[Any]) -> NDArray[np.float32]:
    """Values of any kind as float32; bytes are dequantised."""
    return dequantise(values_NK) if values_NK.dtype == np.uint8 else values_NK.astype(np.float32, copy=False)


def nearest(clips_NK: NDArray[np.float32], query_K: NDArray[np.float32], top: int) -> list[tuple[int, float]]:
    """The rows most like a query by cosine, as (row, similarity), the most similar first; ties by row."""
    lengths_N = np.linalg.norm(clips_NK, axis=1) * np.linalg.norm(query_K)
    cosine_N = clips_NK @ query_K / np.maximum(lengths_N, 1e-12)
    return [(int(row), float(cosine_N[row])) for row in np.argsort(-cosine_N, kind="stable")[:top]]
