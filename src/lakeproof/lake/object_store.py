"""Clients of the stack's S3 store. Every call ends: short timeouts, at most one retry."""

from typing import Any

from lakeproof.stack.stack import Stack

LAKE_BUCKET = "lake"
FLINK_BUCKET = "flink"
WAREHOUSE = f"s3://{LAKE_BUCKET}/wh"
REGION = "us-east-1"


def s3_client(stack: Stack, *, timeout_seconds: float = 5.0, attempts: int = 2) -> Any:
    """A boto3 S3 client (path style, keys from the stack's secrets). Making one takes about 50 ms: keep it.

    `timeout_seconds` bounds the connect and each read. Its errors are botocore's.
    """
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=stack.url("minio"),
        region_name=REGION,
        aws_access_key_id=stack.secret("s3-access-key"),
        aws_secret_access_key=stack.secret("s3-secret-key"),
        config=Config(
            connect_timeout=timeout_seconds,
            read_timeout=timeout_seconds,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            s3={"addressing_style": "path"},
            proxies={},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def bucket_and_key(uri: str) -> tuple[str, str]:
    """`s3://bucket/a/b` (or s3a) as (bucket, "a/b")."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key
