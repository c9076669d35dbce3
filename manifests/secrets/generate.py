"""Random secrets of the local overlay, in files that git ignores: ``make secrets``.

Writes what the two kustomizations beside this file read: ``servers/secrets.yaml`` for the namespace of the servers,
``runs/secrets.yaml`` for that of the runs. The object store's identities and the keys in the Secrets are made of the
same table and the same random numbers. Files that are there are kept: for new secrets, delete them first
(docs/kubernetes.md, "New keys").

    python manifests/secrets/generate.py [STORE]      # prefix of the store in its bucket, "store" by default
"""

from __future__ import annotations

import base64
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from rights import identities, rights

RUNNERS = ("features", "trainer", "exporter")
"""Identities of steps: their keys are Secrets in the runs' namespace."""

Values = dict[str, dict[str, str]]
"""What each Secret holds, by the Secret's name."""


def values(prefix: str = "store") -> tuple[Values, Values]:
    """New random Secrets: those of the servers and those of the runs.

    Args:
        prefix: of the store in its bucket.
    """
    keys = {name: (f"{name}-{secrets.token_hex(6)}", secrets.token_hex(24)) for name in rights(prefix)}
    stores = {
        name: {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret} for name, (access, secret) in keys.items()
    }
    runs = {f"earmark-store-{name}": stores.pop(name) for name in RUNNERS}
    database = secrets.token_hex(24)
    uri = f"postgresql+psycopg2://mlflow:{database}@postgres:5432/mlflow"
    servers = {
        "postgres": {"POSTGRES_PASSWORD": secrets.token_hex(24)},
        "mlflow-database": {"PGPASSWORD": database, "MLFLOW_BACKEND_STORE_URI": uri},
        "object-store-identities": {
            "identities.json": identities(keys, prefix),  # SeaweedFS's
            "keys": "".join(f"{name} {access} {secret}\n" for name, (access, secret) in keys.items()),  # MinIO's
        },
        **{f"earmark-store-{name}": held for name, held in stores.items()},
    }
    return servers, runs


def manifest(made: Mapping[str, Mapping[str, str]]) -> str:
    """Secrets as Kubernetes reads them. Values are on one line each, so that a second apply finds them unchanged."""
    documents = []
    for name, held in made.items():
        lines = ["apiVersion: v1", "kind: Secret", "metadata:", f"  name: {name}", "data:"]
        lines += [f"  {key}: {base64.b64encode(value.encode()).decode()}" for key, value in held.items()]
        documents.append("\n".join(lines) + "\n")
    return "---\n".join(documents)


def write(folder: Path, prefix: str = "store") -> bool:
    """Write both files, readable by this user only, unless they are there.

    Returns:
        Whether they were written.

    Raises:
        FileExistsError: only one of them is there; both must be of one making.
    """
    paths = [folder / name / "secrets.yaml" for name in ("servers", "runs")]
    there = [path for path in paths if path.exists()]
    if len(there) == len(paths):
        return False
    if there:
        raise FileExistsError(f"{there[0]} is there, its twin is not: delete it for new secrets, or put the twin back")
    for path, made in zip(paths, values(prefix), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(manifest(made))
    return True


if __name__ == "__main__":
    place = Path(__file__).resolve().parent
    try:
        written = write(place, *sys.argv[1:2])
    except FileExistsError as error:
        sys.exit(str(error))
    print(f"{place}/*/secrets.yaml: " + ("written; git ignores them" if written else "kept, they are there already"))
