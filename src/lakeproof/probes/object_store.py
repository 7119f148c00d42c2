"""A question to the object store: which buckets and folders are there, beside what changes while the stack works.

A drill compares the answer before and after. So a table's folder is named and not opened (its files come and go with
every checkpoint), and the folders that the job and the shop work in are not named at all, for they come with their
first object and go with their last one.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from lakeproof.errors import CouldNotLook
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.shop.fulfillment.label import PENDING, READY
from lakeproof.stack.object_store import ATTACHMENT_BUCKET, FLINK_BUCKET, LABEL_BUCKET, LAKE_BUCKET, s3_client
from lakeproof.stack.stack import Stack

# Down to the folder of each table: Paimon's, and that of its Iceberg metadata.
OPENED = {LAKE_BUCKET: re.compile(r"wh/|wh/[^/]+\.db/|wh/iceberg/|wh/iceberg/[^/]+/")}
WORKED_IN = {
    FLINK_BUCKET: re.compile(r"(checkpoints|savepoints)/"),
    LABEL_BUCKET: re.compile(f"{PENDING}|{READY}"),
    ATTACHMENT_BUCKET: re.compile(r"\d+/"),  # of a support case
}
NEVER = re.compile(r"(?!)")


def objects(stack: Stack, timeout: float) -> Value:
    """Every bucket, and its folders and objects as above, sorted, joined by spaces; odd letters as in a URL."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = sorted(quote(path) for path in list_folders(s3_client(stack, timeout_seconds=timeout, attempts=1)))
    except (BotoCoreError, ClientError) as error:
        raise CouldNotLook(f"no list: {type(error).__name__}", where="minio", next_action="is it up?") from error
    return " ".join(found)


def list_folders(client: Any) -> Iterator[str]:
    """`bucket/`, `bucket/folder/`, `bucket/object`, as above. Raises: botocore's errors."""
    for bucket in client.list_buckets().get("Buckets", []):
        name = bucket["Name"]
        yield f"{name}/"
        yield from (f"{name}/{path}" for path in _below(client, name, ""))


def _below(client: Any, bucket: str, folder: str) -> Iterator[str]:
    opened, worked_in = OPENED.get(bucket, NEVER), WORKED_IN.get(bucket, NEVER)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder, Delimiter="/")
    for page in pages:
        # A folder may have an object of its own name that marks it.
        yield from (entry["Key"] for entry in page.get("Contents", []) if entry["Key"] != folder)
        for entry in page.get("CommonPrefixes", []):
            inner = entry["Prefix"]
            if worked_in.fullmatch(inner):
                continue
            yield inner
            if opened.fullmatch(inner):
                yield from _below(client, bucket, inner)


PROBES = (Probe("objects", "minio", "list buckets, and folders down to the tables'", "", objects, inventory=True),)
