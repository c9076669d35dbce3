"""MLflow on SQLite for tests: its tables are made once a session (that takes seconds) and copied for each test."""

import shutil

import pytest

from earmark.tracking import connect


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """An SQLite file with MLflow's tables and nothing in them."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    connect(f"sqlite:///{file}")
    return file


@pytest.fixture
def mlflow_db(migrated, tmp_path, monkeypatch):
    """The work folder's MLflow, as the command sets it for its steps: its URI."""
    uri = f"sqlite:///{shutil.copy(migrated, tmp_path / 'mlflow.db')}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri
