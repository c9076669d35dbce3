"""``earmark import-vggish``: released weights as a model package, so that all commands take them."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from earmark import __version__
from earmark.config import ArchitectureConfig, EvaluateConfig, FeatureSpec
from earmark.errors import UserError

CARD = """# VGGish

The embedding network that was released with Audio Set, read from `{source}` (sha256 `{sha256}`): 128 linear
values for each 0.96 s. It has no labels: embed with it, or train a network that starts from it (docs/vggish.md).

The clips that it was trained on are not known here. The released weights have terms of their own.
"""


def import_vggish(file: Path, to: Path, pca: Path | None) -> Path:
    """Write the package of released weights, with no labels, and of its post-processing where that is given.

    Returns:
        The folder.

    Raises:
        UserError: the file cannot be read as VGGish's weights, or the PCA is of another size; or the folder holds
            something already.
    """
    import pyarrow as pa
    from safetensors.numpy import save_file

    from earmark.architectures.vggish_import import read_vggish
    from earmark.registry.clips import COLUMNS
    from earmark.registry.package import write_package
    from earmark.store.tables import write_table

    folder = to.expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"--to {folder} holds something already: give a new folder")
    document = _document(file)
    weights = read_vggish(file) | _no_output()
    if pca is not None:
        _write_pca(pca, folder)
    no_clips = write_table(pa.table({name: pa.nulls(0, pa.string()) for name in COLUMNS}))
    with tempfile.TemporaryDirectory() as scratch:
        saved = Path(scratch) / "weights.safetensors"
        save_file(weights, saved)
        write_package(folder, saved, document, no_clips, CARD.format(**document["imported"]))
    return folder


def _document(file: Path) -> dict[str, Any]:
    """``model.json``, as far as it is ours to say."""
    return {
        "schema_version": 1,
        "architecture": ArchitectureConfig(name="vggish").model_dump(),
        "labels": [],
        "single_label": False,
        "output": "sigmoid",
        "features": FeatureSpec(tail="drop", storage="float32").model_dump(),
        "evaluate": EvaluateConfig().model_dump(),
        "embedding_size": 128,
        "dataset": "",
        "imported": {"source": file.name, "sha256": _sha256(file)},
        "version": __version__,
    }


def _no_output() -> dict[str, Any]:
    import numpy as np

    return {"output.weight": np.empty((0, 128), np.float32), "output.bias": np.empty(0, np.float32)}


def _write_pca(file: Path, folder: Path) -> None:
    from earmark.embeddings import Pca
    from earmark.registry.package import PCA

    pca = Pca.load(file)
    if pca.vectors_KE.shape != (128, 128):
        raise UserError(f"--pca {file} is of {pca.vectors_KE.shape} values: VGGish's is of (128, 128)")
    folder.mkdir(parents=True, exist_ok=True)
    pca.save(folder / PCA)


def _sha256(file: Path) -> str:
    if not file.is_file():
        return ""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
