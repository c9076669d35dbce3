"""A registered version's package, brought to this machine."""

from __future__ import annotations

import re
from pathlib import Path

from earmark.errors import UserError
from earmark.registry.package import Package, read_package
from earmark.registry.versions import check_name
from earmark.tracking import connect, mlflow_needed

URI = re.compile(r"models:/([^/@]+)(?:@([^/@]+)|/(\d+))")


def download_uri(uri: str, to: Path) -> Path:
    """Bring the package that ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION`` names into a folder; the folder.

    Raises:
        UserError: the name has another form, or as :func:`download`.
    """
    match = URI.fullmatch(uri)
    if match is None:
        raise UserError(f"{uri!r} names no registered model: give models:/NAME@champion or models:/NAME/3")
    download(match[1], match[2] or match[3], to)
    return to


def download(name: str, version: str, to: Path) -> Package:
    """Bring a version's package into a folder, and check it against the registry.

    Args:
        name: the registered model.
        version: its number, or an alias such as ``champion``.
        to: the folder, made if need be.

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
        to.mkdir(parents=True, exist_ok=True)
        download_artifacts(artifact_uri=found.source, dst_path=str(to), tracking_uri=client.tracking_uri)
    return read_package(to, found.tags["earmark.package"])
