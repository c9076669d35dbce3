"""Who may do what in the object store: the one table, in SeaweedFS's words and as IAM policies.

python manifests/secrets/rights.py      # writes the policies in manifests/components/object-store-minio/policies
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

STORE, SOUNDS, MODELS = "earmark", "sounds", "mlflow"
"""Buckets: results, clips that people upload, MLflow's artifacts."""

CLIPS = ("build_catalog", "list_clips", "find_news", "extract_features", "assemble_dataset", "read_embeddings")
TRANSFER = ("embed_dataset", "train_head", "evaluate_head")
TRAINING = ("train_model", "evaluate_model", "evaluate_package", "report_package", *TRANSFER)
REGISTERING = ("compare_models", "pool_models", "gate_model", "register_model", "export_embeddings")


def rights(prefix: str = "store") -> dict[str, list[str]]:
    """What each identity may do, in the words of SeaweedFS; "Write" includes deletion.

    Args:
        prefix: of the store in its bucket; ``*`` stands for any.
    """

    def writes(*folders: str, results: Iterable[str] = ()) -> list[str]:
        below = [*folders, *(f"results/{step}" for step in results)]
        return [f"Write:{STORE}/{prefix}/{folder}/*" for folder in ("runs", *below)]

    store, sounds = [f"Read:{STORE}", f"List:{STORE}"], [f"Read:{SOUNDS}", f"List:{SOUNDS}"]
    models = [f"Read:{MODELS}", f"List:{MODELS}"]
    return {
        "admin": ["Admin", "Read", "List", "Tagging", "Write"],
        "features": [*sounds, *store, *writes("catalog", "features", results=CLIPS)],
        "trainer": [*sounds, *store, *writes("initial", results=TRAINING)],
        "exporter": [*sounds, *store, *writes(results=REGISTERING)],
        "submitter": [*sounds, f"Write:{SOUNDS}", *store, *writes()],
        "mlflow": [*models, f"Tagging:{MODELS}", f"Write:{MODELS}"],
        "backup": [*sounds, *store, *models],
    }


def identities(keys: Mapping[str, tuple[str, str]], prefix: str = "store") -> str:
    """SeaweedFS's file of identities.

    Args:
        keys: access and secret key by identity.
        prefix: of the store in its bucket.
    """
    listed = [
        {"name": name, "credentials": [dict(zip(("accessKey", "secretKey"), keys[name], strict=True))], "actions": may}
        for name, may in rights(prefix).items()
    ]
    return json.dumps({"identities": listed}, indent=1)


def policy(identity: str, prefix: str = "store") -> str:
    """The same rights as an IAM policy, for MinIO, Ceph and the clouds."""
    actions = {
        "Read": ["s3:GetObject"],
        "List": ["s3:ListBucket", "s3:GetBucketLocation"],
        "Write": ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
        "Tagging": ["s3:GetObjectTagging", "s3:PutObjectTagging"],
    }
    resources: dict[str, list[str]] = {}
    for right in rights(prefix)[identity]:
        verb, _, where = right.partition(":")
        within = where if verb == "List" or "/" in where else f"{where}/*"
        resources.setdefault(verb, []).append(f"arn:aws:s3:::{within}")
    statements = [{"Effect": "Allow", "Action": actions[verb], "Resource": where} for verb, where in resources.items()]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=1)


if __name__ == "__main__":
    place = Path(__file__).resolve().parents[1] / "components" / "object-store-minio" / "policies"
    for name in rights().keys() - {"admin"}:
        (place / f"{name}.json").write_text(policy(name) + "\n")
