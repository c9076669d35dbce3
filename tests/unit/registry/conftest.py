from mlflow_database import migrated, mlflow_db  # noqa: F401
