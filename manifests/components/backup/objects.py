"""Copies of buckets in a folder: ``python objects.py save DAY`` and ``python objects.py restore DAY``.

``days/DAY/objects.jsonl`` lists every object of a day; its bytes lie once in ``objects/``, named by bucket, key and
ETag, so a day costs what has changed since the day before. Saving removes what is older than ``KEEP_DAYS``.
"""

import hashlib
import json
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

BUCKETS = ("earmark", "sounds", "mlflow")
ROOT = Path(os.environ.get("BACKUP", "/backup"))
BYTES = ROOT / "objects"
PARTS = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20)

store = boto3.client("s3", endpoint_url=os.environ["ENDPOINT"], region_name=os.environ["REGION"])


def fetch(bucket: str, key: str, etag: str) -> dict | None:
    """The line of one object, None if it is gone meanwhile; its bytes are copied unless they are there."""
    while True:
        name = hashlib.sha256("\0".join((bucket, key, etag)).encode()).hexdigest()
        path = BYTES / name[:2] / name
        facts = path.with_suffix(".json")
        try:
            if not facts.exists():  # written after the bytes
                path.parent.mkdir(parents=True, exist_ok=True)
                found = store.get_object(Bucket=bucket, Key=key, IfMatch=f'"{etag}"')
                with path.open("wb") as file:
                    shutil.copyfileobj(found["Body"], file)
                facts.write_text(json.dumps({"metadata": found["Metadata"], "type": found["ContentType"]}))
            return {"bucket": bucket, "key": key, "file": f"{name[:2]}/{name}", **json.loads(facts.read_text())}
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 412:
                raise
            etag = current(bucket, key) or etag  # replaced since it was listed


def current(bucket: str, key: str) -> str | None:
    """The ETag that an object has now."""
    try:
        return store.head_object(Bucket=bucket, Key=key)["ETag"].strip('"')
    except ClientError:
        return None


def listed(bucket: str) -> list[tuple[str, str, str]]:
    """Bucket, key and ETag of every object."""
    pages = store.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [(bucket, each["Key"], each["ETag"].strip('"')) for page in pages for each in page.get("Contents", ())]


def save(day: Path, keep: int) -> None:
    """Copy what is new, list all, and remove old days with what only they name."""
    objects = [each for bucket in BUCKETS for each in listed(bucket)]
    with ThreadPoolExecutor(8) as pool:
        lines = [line for line in pool.map(lambda each: fetch(*each), objects) if line]
    day.mkdir(parents=True, exist_ok=True)
    (day / "objects.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    for old in sorted(day.parent.iterdir())[:-keep]:
        shutil.rmtree(old)
    named = {line["file"] for kept in day.parent.glob("*/objects.jsonl") for line in read(kept)}
    for path in BYTES.glob("*/*"):
        if f"{path.parent.name}/{path.stem}" not in named:
            path.unlink()
    print(f"{day.name}: {len(lines)} objects saved", flush=True)


def restore(day: Path) -> None:
    """Put every object of a day back; objects that came later stay."""
    lines = read(day / "objects.jsonl")

    def put(line: dict) -> None:
        told = {"Metadata": line["metadata"], "ContentType": line["type"]}
        store.upload_file(str(BYTES / line["file"]), line["bucket"], line["key"], ExtraArgs=told, Config=PARTS)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, lines))
    print(f"{day.name}: {len(lines)} objects restored", flush=True)


def read(path: Path) -> list[dict]:
    """The lines of a day."""
    return [json.loads(line) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    what, name = sys.argv[1:]
    if what == "save":
        save(ROOT / "days" / name, int(os.environ["KEEP_DAYS"]))
    else:
        restore(ROOT / "days" / name)
