"""The object store: its buckets."""

from lakeproof.stack.object_store import BUCKETS, s3_client
from lakeproof.stack.stack import Stack


def provision(stack: Stack) -> None:
    """Create the buckets that are missing."""
    client = s3_client(stack, timeout_seconds=10.0, attempts=1)
    present = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for bucket in BUCKETS:
        if bucket not in present:
            client.create_bucket(Bucket=bucket)
