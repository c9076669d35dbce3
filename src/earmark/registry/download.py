"""A model's package, found by what people call it and brought to this machine once."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

from earmark.errors import UserError
from earmark.registry.package import (
    CARD,
    CLIPS,
    DOCUMENT,
    Package,
    check_file,
    read_document,
    read_package,
    sealed_files,
)
from earmark.registry.versions import CHAMPION, check_name
from earmark.store.tables import read_table
from earmark.tracking import connect, mlflow_needed

REFERENCE = re.compile(r"(?:models:/)?([^/@]+)(?:@([^/@]+)|/(\d+))?")


def package_cache() -> Path:
    """Where packages are kept on this machine: below ``EARMARK_WORK``, else in the user's cache."""
    work = os.environ.get("EARMARK_WORK")
    return Path(work) / "models" if work else Path.home() / ".cache" / "earmark" / "models"


def fetch_package(reference: str) -> Package:
    """The package that a reference names, every file checked.

    Args:
        reference: the folder of a package; or a registered model, NAME (its champion), NAME@ALIAS or NAME/VERSION,
            with or without ``models:/`` before it. A registered one is downloaded once and kept in
            :func:`package_cache`.

    Raises:
        UserError: no such folder, model, version or alias.
        CorruptObject: a file is not the one that was registered.
        EarmarkError: MLflow does not answer.
    """
    folder = Path(reference).expanduser()
    if (folder / DOCUMENT).is_file():
        return read_package(folder)
    if folder.is_dir():
        raise _no_model(reference)
    return download(*parse_reference(reference), None)


def parse_reference(reference: str) -> tuple[str, str]:
    """Name, and version or alias, of NAME (its champion), NAME@ALIAS or NAME/VERSION.

    Raises:
        UserError: it is none of them.
    """
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise _no_model(reference)
    return match[1], match[2] or match[3] or CHAMPION


def download(name: str, version: str, to: Path | None) -> Package:
    """A version's package in a folder, checked against the registry.

    Args:
        name: the registered model.
        version: its number, or an alias such as ``champion``.
        to: the folder, made if need be; None for one in :func:`package_cache`, which is downloaded only once.

    Raises:
        UserError: there is no such model or version.
        CorruptObject: a file is not the one that was registered.
        EarmarkError: MLflow does not answer.
    """
    with mlflow_needed():
        client = connect()
        found = _version(client, name, version)
        sealed = _sealed(found)
        folder = to or package_cache() / sealed[:16]
        if to is None and folder.is_dir():
            return read_package(folder, sealed, name=name, version=int(found.version))
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
            _bring(client, found, [DOCUMENT, CARD], Path(fresh))
            _bring(client, found, sealed_files(read_document(Path(fresh), sealed)), Path(fresh))
            read_package(Path(fresh), sealed)
            shutil.copytree(fresh, folder, dirs_exist_ok=True)
    return read_package(folder, sealed, name=name, version=int(found.version))


def fetch_clips(name: str, version: int) -> pa.Table | None:
    """The clips that a version was made of, as :meth:`Package.clips` tells them, without its weights; None if it is
    older than that.

    Raises:
        CorruptObject: the table is not the one that was registered.
        EarmarkError: MLflow does not answer.
    """
    with mlflow_needed():
        client = connect()
        found = _version(client, name, str(version))
        sealed = _sealed(found)
        folder = package_cache() / f"{sealed[:16]}-clips"
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
                _bring(client, found, [DOCUMENT], Path(fresh))
                if CLIPS in sealed_files(read_document(Path(fresh), sealed)):
                    _bring(client, found, [CLIPS], Path(fresh))
                shutil.copytree(fresh, folder, dirs_exist_ok=True)
    document = read_document(folder, sealed)
    if CLIPS not in sealed_files(document):
        return None
    return read_table(check_file(folder, CLIPS, document).read_bytes())


def _version(client: MlflowClient, name: str, version: str) -> MlflowVersion:
    """A version by its number or alias."""
    from mlflow.exceptions import MlflowException

    check_name(name)
    try:
        if version.isdigit():
            return client.get_model_version(name, version)
        return client.get_model_version_by_alias(name, version)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise UserError(f"model {name!r} has no version or alias {version!r}: see `earmark models`") from None


def _sealed(version: MlflowVersion) -> str:
    """The sha256 of the version's ``model.json``."""
    sealed = version.tags.get("earmark.package", "")
    if not re.fullmatch(r"[0-9a-f]{64}", sealed):
        raise UserError(
            f"model {version.name}/{version.version} was not registered by Earmark: only its own packages are read"
        )
    return sealed


def _bring(client: MlflowClient, version: MlflowVersion, files: Iterable[str], folder: Path) -> None:
    """Download some of a version's files: MLflow's own, with the code that a server needs, stay where they are."""
    from mlflow.artifacts import download_artifacts

    place = client.get_logged_model(str(version.source).removeprefix("models:/")).artifact_location
    for file in files:
        download_artifacts(artifact_uri=f"{place}/{file}", dst_path=str(folder), tracking_uri=client.tracking_uri)


def _no_model(reference: str) -> UserError:
    return UserError(f"{reference!r} is no model: give a package's folder, NAME, NAME@champion or NAME/3")
