"""A packed model as MLflow's logged model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

from earmark.registry.versions import KEY

VERSIONS_TAG = "mlflow.modelVersions"


def logged_model(client: MlflowClient, run_id: str, package: str, name: str, folder: Path) -> str:
    """The id of the logged model of a package, found by its digest or made of a folder with ``MLmodel`` and the rest.

    One that a killed attempt left incomplete is completed: the files are the same. Of two that a race makes one stays
    without a version.
    """
    experiment_id = client.get_run(run_id).info.experiment_id
    found = client.search_logged_models([experiment_id], filter_string=f"tags.`{KEY}` = '{package}'")
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
            tags={KEY: package},
            model_type="audio tagger",
        )
    )
    _name_mlmodel(folder, model.model_id, run_id)
    _send(client, model.model_id, folder)
    client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def _send(client: MlflowClient, model_id: str, folder: Path) -> None:
    """Hand the files over, also while another attempt hands over the same ones."""
    # Into a folder of this machine MLflow makes each subfolder it does not see; of two attempts one then fails, with
    # that subfolder there.
    for _ in range(sum(path.is_dir() for path in folder.rglob("*"))):
        try:
            client.log_model_artifacts(model_id, str(folder))
            return
        except FileExistsError:
            continue
    client.log_model_artifacts(model_id, str(folder))


def name_version(client: MlflowClient, model_id: str, name: str, version: int) -> None:
    """Have the logged model's page name a version that was made of it; a server does so by itself, SQLite does not."""
    tags = client.get_logged_model(model_id).tags
    known = {(each["name"], int(each["version"])) for each in json.loads(tags.get(VERSIONS_TAG, "[]"))}
    listed = [{"name": model, "version": number} for model, number in sorted(known | {(name, version)})]
    client.set_logged_model_tags(model_id, {VERSIONS_TAG: json.dumps(listed)})


def _name_mlmodel(folder: Path, model_id: str, run_id: str) -> None:
    """Write into ``MLmodel`` what MLflow calls it, now that this is known."""
    from mlflow.models import Model

    about = Model.load(str(folder))
    about.model_id, about.run_id = model_id, run_id
    about.save(str(folder / "MLmodel"))
