"""Random secrets of the local overlay, in files that git ignores: ``make secrets``.

Writes what the two kustomizations beside this file read: ``servers/`` for the namespace of the servers, ``runs/`` for
the namespace of the runs. The object store's identities and the keys in the Secrets are made of the same table and the
same random numbers. Nothing is replaced: to make new ones, delete the files (docs/kubernetes.md, "New keys").

    python manifests/secrets/generate.py [STORE]      # prefix of the store in its bucket, "store" by default
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from rights import identities, rights

RUNNERS = ("features", "trainer", "exporter")
"""Identities of steps: their keys are Secrets in the runs' namespace."""


def files(prefix: str = "store") -> dict[str, str]:
    """Every file, by its path below this folder, with new random secrets."""
    keys = {name: (f"{name}-{secrets.token_hex(6)}", secrets.token_hex(24)) for name in rights(prefix)}
    superuser, database = secrets.token_hex(24), secrets.token_hex(24)
    uri = f"postgresql+psycopg2://mlflow:{database}@postgres:5432/mlflow"
    made = {
        "servers/identities.json": identities(keys, prefix),
        "servers/postgres.env": _env(POSTGRES_PASSWORD=superuser),
        "servers/mlflow-database.env": _env(PGPASSWORD=database, MLFLOW_BACKEND_STORE_URI=uri),
    }
    for name, (access, secret) in keys.items():
        folder = "runs" if name in RUNNERS else "servers"
        made[f"{folder}/store-{name}.env"] = _env(AWS_ACCESS_KEY_ID=access, AWS_SECRET_ACCESS_KEY=secret)
    return made


def write(folder: Path, prefix: str = "store") -> None:
    """Write all files, readable by this user only, or none.

    Raises:
        FileExistsError: one of them is there.
    """
    made = files(prefix)
    there = [name for name in made if (folder / name).exists()]
    if there:
        listed = " ".join(str(folder / name) for name in there)
        raise FileExistsError(f"kept: {listed}\nthey are there already; for new secrets, delete them first")
    for name, text in made.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)


def _env(**values: str) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())


if __name__ == "__main__":
    place = Path(__file__).resolve().parent
    try:
        write(place, *sys.argv[1:2])
    except FileExistsError as error:
        sys.exit(str(error))
    print(f"secrets written below {place}; git ignores them")
