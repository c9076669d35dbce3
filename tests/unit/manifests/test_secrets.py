"""Who may do what, and the secrets that are made of it."""

import base64
import json
import re
from pathlib import Path

import pytest
import rights
import yaml
from generate import RUNNERS, write

ROOT = Path(__file__).parents[3]
POLICIES = ROOT / "manifests" / "components" / "object-store-minio" / "policies"


def secrets(path):
    """What a file of Secrets holds, by their names."""
    return {
        each["metadata"]["name"]: {key: base64.b64decode(value).decode() for key, value in each["data"].items()}
        for each in yaml.safe_load_all(path.read_text())
    }


def test_every_step_that_keeps_results_may_write_them_as_one_identity():
    steps = {
        step
        for path in (ROOT / "src" / "earmark").rglob("*.py")
        for step in re.findall(r'^STEP(?:, EPOCH)? = "(\w+)"', path.read_text(), re.MULTILINE)
    }
    assert {"train_model", "gate_model", "report_package"} <= steps
    allowed = [
        (name, right.split("/")[-2]) for name, may in rights.rights().items() for right in may if "/results/" in right
    ]
    assert sorted(step for _, step in allowed) == sorted(steps)


def test_only_the_administrator_may_write_outside_its_own_folders():
    for name, may in rights.rights().items():
        if name != "admin":
            assert not {"Admin", "Write", f"Write:{rights.STORE}"} & set(may)


def test_the_identities_of_the_server_have_the_keys_of_the_secrets(tmp_path):
    assert write(tmp_path)
    servers, runs = secrets(tmp_path / "servers" / "secrets.yaml"), secrets(tmp_path / "runs" / "secrets.yaml")
    identities = json.loads(servers["object-store-identities"]["identities.json"])["identities"]
    by_name = {each["name"]: each["credentials"][0] for each in identities}
    held = {**servers, **runs}
    for name, keys in by_name.items():
        secret = held[f"earmark-store-{name}"]
        assert (secret["AWS_ACCESS_KEY_ID"], secret["AWS_SECRET_ACCESS_KEY"]) == tuple(keys.values())
    assert set(runs) == {f"earmark-store-{name}" for name in RUNNERS}
    assert servers["mlflow-database"]["PGPASSWORD"] in servers["mlflow-database"]["MLFLOW_BACKEND_STORE_URI"]
    assert (tmp_path / "servers" / "secrets.yaml").stat().st_mode & 0o077 == 0


def test_secrets_are_random_and_never_replaced(tmp_path):
    assert write(tmp_path / "a")
    assert write(tmp_path / "b")
    first = (tmp_path / "a" / "servers" / "secrets.yaml").read_text()
    assert first != (tmp_path / "b" / "servers" / "secrets.yaml").read_text()
    assert not write(tmp_path / "a")
    assert (tmp_path / "a" / "servers" / "secrets.yaml").read_text() == first
    (tmp_path / "a" / "runs" / "secrets.yaml").unlink()
    with pytest.raises(FileExistsError, match="its twin is not"):
        write(tmp_path / "a")


def test_the_policies_in_git_are_those_of_the_table():
    for name in rights.rights().keys() - {"admin"}:
        kept = (POLICIES / f"{name}.json").read_text()
        assert kept == rights.policy(name) + "\n", "python manifests/secrets/rights.py writes them"
