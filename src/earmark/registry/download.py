"""A model's package, found by what people call it and brought to this machine once."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from earmark.errors import UserError
from earmark.registry.package import DOCUMENT, Package, read_package
from earmark.registry.versions import CHAMPION, check_name
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
    match = REFERENCE.fullmatch(reference)
    if match is None or folder.is_dir():
        raise UserError(f"{reference!r} is no model: give a package's folder, NAME, NAME@champion or NAME/3")
    return download(match[1], match[2] or match[3] or CHAMPION, None)


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
    check_name(name)
    with mlflow_needed():
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        client = connect()
        try:
            if version.isdigit():
                found = client.get_model_version(name, version)
            else:
                found = client.get_model_version_by_alias(name, version)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            raise UserError(f"model {name!r} has no version or alias {version!r}: see `earmark models`") from None
        sealed = found.tags["earmark.package"]
        folder = to or package_cache() / sealed[:16]
        if to is None and folder.is_dir():
            return read_package(folder, sealed, name=name, version=int(found.version))
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
            download_artifacts(artifact_uri=found.source, dst_path=fresh, tracking_uri=client.tracking_uri)
            read_package(Path(fresh), sealed)
            shutil.copytree(fresh, folder, dirs_exist_ok=True)
    return read_package(folder, sealed, name=name, version=int(found.version))
