"""A real cluster with Kubeflow Pipelines on it: KUBECONFIG and KFP_ENDPOINT say where.

The images must be there under the names of examples/clusters/cpu.yaml. Namespace ``earmark`` gets the servers of
manifests/overlays/local, the namespace of the pipelines what manifests/kubeflow has.
"""

import base64
import os
import subprocess
from pathlib import Path

import pytest
from kube import forwarded, kubectl, objects

ROOT = Path(__file__).parents[2]
NEEDED = ("KUBECONFIG", "KFP_ENDPOINT")


def pytest_collection_modifyitems(items):
    """Skip all of this folder where no cluster is named."""
    missing = [name for name in NEEDED if not os.environ.get(name)]
    for item in items:
        if missing and Path(__file__).parent in Path(item.path).parents:
            item.add_marker(pytest.mark.skip(reason=f"no cluster: set {' and '.join(missing)} to run tests/cluster"))


@pytest.fixture(scope="session")
def cluster_file():
    """The cluster without a GPU."""
    return ROOT / "examples" / "clusters" / "cpu.yaml"


@pytest.fixture(scope="session")
def installed():
    """The servers and what the pipelines' namespace needs, as docs/kubernetes.md installs them; left in place."""
    if not (ROOT / "manifests" / "secrets" / "servers" / "secrets.yaml").exists():
        subprocess.run(["make", "-C", str(ROOT), "secrets"], check=True, capture_output=True)
    for part in ("overlays/local", "kubeflow"):
        kubectl("apply", "--server-side", "-k", ROOT / "manifests" / part)
    kubectl("wait", "-n", "earmark", "--for=condition=Available", "deployment", "--all", "--timeout=300s")
    kubectl("wait", "-n", "earmark", "--for=condition=Complete", "job", "--all", "--timeout=300s")


@pytest.fixture(scope="session")
def servers(installed, cluster_file):
    """The environment of someone who submits: the cluster's servers behind ports of this machine, and their keys."""
    [secret] = [s for s in objects("secret", "earmark") if s["metadata"]["name"] == "earmark-store-submitter"]
    keys = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    with forwarded("earmark", "object-store", 9000) as store, forwarded("earmark", "mlflow", 5000) as mlflow:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("EARMARK_", "MLFLOW_", "AWS_"))}
        yield {
            **kept,
            **keys,
            "EARMARK_STORE": "s3://earmark/store",
            "EARMARK_S3_ENDPOINT": f"http://127.0.0.1:{store}",
            "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{mlflow}",
            "EARMARK_CLUSTER": str(cluster_file),
            "COLUMNS": "200",
        }
