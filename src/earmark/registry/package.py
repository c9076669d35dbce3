"""A model's package: weights, what they need to be used, and a card. The only form of a model that Earmark loads."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.errors import UserError
from earmark.store import CorruptObject
from earmark.store.tables import read_table
from earmark.store.tensors import check_safetensors

if TYPE_CHECKING:
    import pyarrow as pa

    from earmark.embeddings import Pca

WEIGHTS, DOCUMENT, CARD, CLIPS = "weights.safetensors", "model.json", "README.md", "clips.parquet"
PROGRAM, PCA = "model.pt2", "pca.safetensors"
SEALED = {WEIGHTS: "weights_sha256", CLIPS: "clips_sha256", PROGRAM: "program_sha256", PCA: "pca_sha256"}
"""Files whose sha256 ``model.json`` holds, each under its own name, where the package has them."""
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Package:
    """A model's package on this machine, its files checked."""

    folder: Path
    document: dict[str, Any]
    """``model.json``: architecture, labels, features, digests, config, code version, scores."""
    name: str = ""
    """The registered model, "" for a package that came as a folder."""
    version: int = 0
    """The registered version, 0 for a package that came as a folder."""

    @property
    def weights(self) -> Path:
        """safetensors."""
        return self.folder / WEIGHTS

    @property
    def title(self) -> str:
        """What people call it: ``NAME/3``, or the folder."""
        return f"{self.name}/{self.version}" if self.version else str(self.folder)

    def clips(self) -> pa.Table:
        """Every clip of the catalog that it was trained from: clip_id, clip_key, sha256, uri, start_s, end_s, labels
        (names), group, split (``train``, ``validation``, ``test``, null for a clip that was left out).

        Raises:
            UserError: the package is older than this table.
        """
        if CLIPS not in sealed_files(self.document):
            raise UserError(f"model {self.title} does not tell its clips (an older version wrote it): train it again")
        return read_table((self.folder / CLIPS).read_bytes())

    def pca(self) -> Pca | None:
        """The PCA of its training clips' embeddings, None where they had none."""
        from earmark.embeddings import Pca

        return Pca.load(self.folder / PCA) if PCA in sealed_files(self.document) else None

    def program(self) -> Path:
        """The program by ``torch.export``: a waveform in, scores and embedding out.

        Raises:
            UserError: the package is older than it.
        """
        if PROGRAM not in sealed_files(self.document):
            raise UserError(f"model {self.title} has no {PROGRAM} (an older version wrote it): train it again")
        return self.folder / PROGRAM


def sealed_files(document: Mapping[str, Any]) -> dict[str, str]:
    """The files that ``model.json`` seals, each with its sha256."""
    return {name: document[field] for name, field in SEALED.items() if document.get(field)}


def write_package(folder: Path, weights: Path, document: Mapping[str, Any], clips: bytes, card: str) -> str:
    """Write a package's files; what else can be sealed and lies in the folder already becomes part of it.

    Returns:
        The sha256 of ``model.json``, which in turn holds those of the others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(weights, folder / WEIGHTS)
    (folder / CLIPS).write_bytes(clips)
    digests = {field: _sha256(folder / name) for name, field in SEALED.items() if (folder / name).is_file()}
    sealed = {**document, "package_version": SCHEMA_VERSION, **digests}
    text = json.dumps(sealed, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / DOCUMENT).write_text(text, encoding="utf-8")
    (folder / CARD).write_text(card, encoding="utf-8")
    return _sha256(folder / DOCUMENT)


def read_package(folder: Path, document_sha256: str | None = None, *, name: str = "", version: int = 0) -> Package:
    """A package in a folder, its files checked.

    Args:
        folder: where :func:`earmark.registry.download` put it.
        document_sha256: what ``model.json`` must be, where the registry says so.
        name: the registered model, where it is one.
        version: its version.

    Raises:
        UserError: a file is missing or of another form, or the package was written by a version with another schema.
        CorruptObject: a file is not the one that was registered.
    """
    document = read_document(folder, document_sha256)
    for file in (WEIGHTS, *sealed_files(document)):
        check_file(folder, file, document)
    check_safetensors(folder / WEIGHTS)
    return Package(folder, document, name, version)


def read_document(folder: Path, document_sha256: str | None = None) -> dict[str, Any]:
    """A package's ``model.json``, checked where the registry says what it must be.

    Raises:
        UserError: it is missing or no JSON, or was written by a version with another schema.
        CorruptObject: it is not the one that was registered.
    """
    path = _there(folder, DOCUMENT)
    if document_sha256 is not None and _sha256(path) != document_sha256:
        raise _altered(path)
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise UserError(f"{path} does not describe a model: it is no JSON") from None
    if not isinstance(document, dict):
        raise UserError(f"{path} does not describe a model: it holds no names and values")
    if document.get("package_version") != SCHEMA_VERSION:
        found = document.get("package_version")
        raise UserError(f"{folder} is a model package of schema {found} where this version reads {SCHEMA_VERSION}")
    return document


def check_file(folder: Path, name: str, document: Mapping[str, Any]) -> Path:
    """The path of a file that ``model.json`` seals.

    Raises:
        UserError: it is missing.
        CorruptObject: it is not the one that was registered.
    """
    path = _there(folder, name)
    if _sha256(path) != document.get(SEALED[name]):
        raise _altered(path)
    return path


def _there(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise UserError(f"{folder} is not a whole model package: {name} is not there")
    return folder / name


def _altered(path: Path) -> CorruptObject:
    return CorruptObject(
        f"{path} was altered after registration (its sha256 differs): use another version of the model"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
