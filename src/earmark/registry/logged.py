"""A package as MLflow's logged model: the files, and an ``MLmodel`` that tells MLflow's pages what they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

from earmark import __version__
from earmark.registry.package import DOCUMENT, WEIGHTS
from earmark.registry.versions import KEY

VERSIONS_TAG = "mlflow.modelVersions"


def logged_model(client: MlflowClient, run_id: str, key: str, name: str, folder: Path, document: dict[str, Any]) -> str:
    """The id of the logged model with this key, found or made from a package's folder.

    One that a killed attempt left incomplete is completed: the files are the same. Of two that a race makes one stays
    without a version.
    """
    experiment_id = client.get_run(run_id).info.experiment_id
    found = client.search_logged_models([experiment_id], filter_string=f"tags.`{KEY}` = '{key}'")
    ready = [model for model in found if model.status == "READY"]
    if ready:
        return str(ready[0].model_id)
    model = (
        found[0]
        if found
        else client.create_logged_model(
            experiment_id,
            name=name.replace(".", "-"),  # variants may have dots, logged models may not
            source_run_id=run_id,
            tags={KEY: key},
            model_type="audio tagger",
        )
    )
    _write_mlmodel(folder, model.model_id, run_id, document)
    client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def name_version(client: MlflowClient, model_id: str, name: str, version: int) -> None:
    """Have the logged model's page name a version that was made of it; a server does so by itself, SQLite does not."""
    tags = client.get_logged_model(model_id).tags
    known = {(each["name"], int(each["version"])) for each in json.loads(tags.get(VERSIONS_TAG, "[]"))}
    listed = [{"name": model, "version": number} for model, number in sorted(known | {(name, version)})]
    client.set_logged_model_tags(model_id, {VERSIONS_TAG: json.dumps(listed)})


def _write_mlmodel(folder: Path, model_id: str, run_id: str, document: dict[str, Any]) -> None:
    import numpy as np
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    patches = TensorSpec(np.dtype("float32"), (-1, 96, 64), "log_mel_patches")
    scores = TensorSpec(np.dtype("float32"), (-1, len(document["labels"])), "scores")
    model = Model(
        run_id=run_id,
        model_id=model_id,
        utc_time_created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
        signature=ModelSignature(inputs=Schema([patches]), outputs=Schema([scores])),
    )
    model.add_flavor("earmark", weights=WEIGHTS, document=DOCUMENT, earmark_version=__version__)
    model.save(str(folder / "MLmodel"))
