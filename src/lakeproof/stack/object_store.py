"""The stack's S3 store: its buckets, and clients of it. Every call ends: short timeouts, at most one retry."""

import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

from lakeproof.stack.stack import Stack

LAKE_BUCKET = "lake"
FLINK_BUCKET = "flink"
LABEL_BUCKET = "fulfillment-artifacts"
ATTACHMENT_BUCKET = "support-attachments"
BUCKETS = (LAKE_BUCKET, FLINK_BUCKET, LABEL_BUCKET, ATTACHMENT_BUCKET)
WAREHOUSE = f"s3://{LAKE_BUCKET}/wh"
REGION = "us-east-1"
# The keys of the objects that the probes put and delete begin with this (probes/object_store.py).
PROBED = "lakeproof-probe-"

_making = threading.Lock()


def s3_client(
    stack: Stack, *, timeout_seconds: float = 5.0, connect_seconds: float | None = None, attempts: int = 2
) -> Any:
    """A botocore S3 client (path style, keys from the stack's secrets).

    A process's first client takes 0.4 s of a core, further ones 10 ms each.
    `timeout_seconds` bounds each read, and connecting too where `connect_seconds` is None. Raises botocore's errors.
    """
    return client_of(
        stack.url("minio"),
        stack.secret("s3-access-key"),
        stack.secret("s3-secret-key"),
        timeout_seconds=timeout_seconds,
        connect_seconds=connect_seconds,
        attempts=attempts,
    )


def client_of(
    endpoint: str,
    access_key: str,
    secret_key: str,
    *,
    timeout_seconds: float,
    connect_seconds: float | None = None,
    attempts: int,
) -> Any:
    """As `s3_client`, made from plain values."""
    from botocore.config import Config

    config = Config(
        connect_timeout=timeout_seconds if connect_seconds is None else connect_seconds,
        read_timeout=timeout_seconds,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        s3={"addressing_style": "path"},
        proxies={},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    with _making:
        return _session().create_client(
            "s3",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=config,
        )


@cache
def _session() -> Any:
    """The session that all clients are made from. It holds the description of S3's calls, whose reading is most of
    what the first client takes. Two threads may not make clients from the session at once.

    boto3 is not used: it would add uploads in parts, and takes another 0.2 s of a core to import.
    """
    from botocore.session import get_session

    return get_session()


def objects_under(s3: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """Every object under that prefix, a thousand a page, as S3 lists it: Key, Size, LastModified, ….

    Raises: botocore's errors, while the caller iterates.
    """
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", ())


def bucket_and_key(uri: str) -> tuple[str, str]:
    """`s3://bucket/a/b` (or s3a) as (bucket, "a/b")."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key
