"""Makes the buckets that are absent: waits for the object store, changes nothing that is there."""

import os
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

BUCKETS = ("earmark", "sounds", "mlflow")
WITHIN_SECONDS = 300

one_try = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30)
store = boto3.client("s3", endpoint_url=os.environ["ENDPOINT"], region_name=os.environ["REGION"], config=one_try)


def ensure(bucket: str) -> str:
    """Make one bucket unless it is there."""
    try:
        store.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        store.create_bucket(Bucket=bucket)
        return "made"
    return "there"


until = time.monotonic() + WITHIN_SECONDS
for bucket in BUCKETS:
    while True:
        try:
            print(f"{bucket}: {ensure(bucket)}", flush=True)
            break
        except (ClientError, EndpointConnectionError) as error:
            if time.monotonic() > until:
                raise
            print(f"{bucket}: {error}", flush=True)
            time.sleep(2)
