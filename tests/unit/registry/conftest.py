from mlflow_database import migrated, mlflow_db  # noqa: F401
from packed_once import packed, packed_once  # noqa: F401
