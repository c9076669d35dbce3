"""Real servers, each a process of its own on a free port."""

from seaweed import seaweedfs, seaweedfs_own  # noqa: F401
from servers import mlflow_stack, postgres, running_postgres, running_stack  # noqa: F401
