"""Versions of a registered model and their alias: made once, however often and from wherever they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

from earmark.errors import UserError
from earmark.tracking import connect, mlflow_needed, tracking_uri
from earmark.tracking.connection import sqlite_file

CHAMPION, CHALLENGER = "champion", "challenger"
KEY = "earmark.key"
SCORES = ("map", "auc", "d_prime", "accuracy")
FORBIDDEN = "/:%\"'`"


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model, as lists show it. Scores are those of the test part, None if there is none."""

    name: str
    version: int
    aliases: tuple[str, ...]
    architecture: str
    map: float | None
    auc: float | None
    d_prime: float | None
    accuracy: float | None
    created: str
    dataset: str
    run: str


def check_name(name: str) -> str:
    """A registered model's name, if MLflow can take it.

    Raises:
        UserError: it is empty or has a character that MLflow's names cannot have.
    """
    bad = [character for character in name if character in FORBIDDEN]
    if bad or not name.strip():
        raise UserError(f"--model {name!r}: a model's name cannot " + (f"contain {bad[0]!r}" if bad else "be empty"))
    return name


def list_models() -> list[ModelVersion]:
    """All versions of all registered models: by name, the newest first.

    Raises:
        EarmarkError: MLflow does not answer.
    """
    file = sqlite_file(tracking_uri())
    if file is not None and not file.exists():
        return []
    with mlflow_needed():
        client = connect()
        aliases: dict[tuple[str, int], list[str]] = {}
        for model in every(lambda token: client.search_registered_models(page_token=token)):
            for alias, version in model.aliases.items():
                aliases.setdefault((model.name, int(version)), []).append(alias)
        versions = every(lambda token: client.search_model_versions(page_token=token))
        rows = [_row(version, aliases.get((version.name, int(version.version)), [])) for version in versions]
    return sorted(rows, key=lambda row: (row.name, -row.version))


def find_version(client: MlflowClient, name: str, key: str) -> MlflowVersion | None:
    """The version registered under a key; of several, made in a race, the lowest, which is the one that stays."""
    found = client.search_model_versions(f"name = '{name}' and tags.`{KEY}` = '{key}'")
    return min(found, key=lambda version: int(version.version), default=None)


def create_version(
    client: MlflowClient, name: str, key: str, *, model_id: str, run_id: str, tags: Mapping[str, str], card: str
) -> MlflowVersion:
    """A new version of a registered model, which is created if need be; of several creators with one key, one wins.

    Versions are numbered as they are created, so whoever made a higher one sees the lower, and takes its own back.
    """
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    made = client.create_model_version(
        name, f"models:/{model_id}", run_id, tags={**tags, KEY: key}, description=card, model_id=model_id
    )
    first = find_version(client, name, key)
    if first is None or first.version == made.version:
        return made
    client.delete_model_version(name, made.version)
    return first


def make_challenger(client: MlflowClient, name: str, version: str) -> None:
    """Point the alias of the version that asks to be champion at one; the champion does not ask."""
    if str(client.get_registered_model(name).aliases.get(CHAMPION)) != str(version):
        client.set_registered_model_alias(name, CHALLENGER, version)


def every(page: Callable[[str | None], Any]) -> Iterator[Any]:
    """All entities of a paged search."""
    token: str | None = None
    while True:
        found = page(token)
        yield from found
        token = found.token
        if not token:
            return


def _row(version: MlflowVersion, aliases: Sequence[str]) -> ModelVersion:
    tags = version.tags
    created = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    scores = {score: float(tags[score]) if tags.get(score) else None for score in SCORES}
    return ModelVersion(
        name=version.name,
        version=int(version.version),
        aliases=tuple(sorted(aliases)),
        architecture=tags.get("architecture", ""),
        **scores,
        created=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        dataset=tags.get("dataset", ""),
        run=tags.get("run", ""),
    )
